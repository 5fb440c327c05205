/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registers of PCI config space that the project uses, under the names of Linux' pci_regs.h
 * (PCI 3.0 chapter 6; PCI Express 5.0 chapter 7). Offsets in a capability count from its
 * beginning. dextctl, which decodes far more, uses libpci's <pci/pci.h> with the same names.
 */
#ifndef COMMON_PCI_REGS_H
#define COMMON_PCI_REGS_H

#define PCI_CFG_SPACE_SIZE     256u
#define PCI_CFG_SPACE_EXP_SIZE 4096u
#define PCI_STD_HEADER_SIZEOF  64u

#define PCI_VENDOR_ID		 0x00
#define PCI_DEVICE_ID		 0x02
#define PCI_COMMAND		 0x04
#define PCI_COMMAND_IO		 0x0001u
#define PCI_COMMAND_MEMORY	 0x0002u
#define PCI_COMMAND_MASTER	 0x0004u
#define PCI_COMMAND_PARITY	 0x0040u
#define PCI_COMMAND_SERR	 0x0100u
#define PCI_COMMAND_INTX_DISABLE 0x0400u
#define PCI_STATUS		 0x06
#define PCI_STATUS_INTERRUPT	 0x0008u
#define PCI_STATUS_CAP_LIST	 0x0010u
#define PCI_CLASS_REVISION	 0x08
#define PCI_REVISION_ID		 0x08
#define PCI_CLASS_PROG		 0x09
#define PCI_CACHE_LINE_SIZE	 0x0c
#define PCI_HEADER_TYPE		 0x0e
#define PCI_BASE_ADDRESS_0	 0x10
#define PCI_BASE_ADDRESS_5	 0x24
#define PCI_SUBSYSTEM_VENDOR_ID	 0x2c
#define PCI_SUBSYSTEM_ID	 0x2e
#define PCI_ROM_ADDRESS		 0x30
#define PCI_CAPABILITY_LIST	 0x34
#define PCI_INTERRUPT_LINE	 0x3c
#define PCI_INTERRUPT_PIN	 0x3d

#define PCI_CAP_ID_PM	0x01
#define PCI_CAP_ID_MSI	0x05
#define PCI_CAP_ID_VNDR 0x09
#define PCI_CAP_ID_EXP	0x10
#define PCI_CAP_ID_MSIX 0x11
#define PCI_CAP_ID_AF	0x13

#define PCI_PM_PMC		  2
#define PCI_PM_CTRL		  4
#define PCI_PM_CTRL_STATE_MASK	  0x0003u
#define PCI_PM_CTRL_NO_SOFT_RESET 0x0008u
#define PCI_PM_CTRL_PME_STATUS	  0x8000u

#define PCI_MSI_FLAGS	      2
#define PCI_MSI_FLAGS_ENABLE  0x0001u
#define PCI_MSI_FLAGS_QMASK   0x000eu
#define PCI_MSI_FLAGS_QSIZE   0x0070u
#define PCI_MSI_FLAGS_64BIT   0x0080u
#define PCI_MSI_FLAGS_MASKBIT 0x0100u

#define PCI_MSIX_FLAGS	       2
#define PCI_MSIX_FLAGS_QSIZE   0x07ffu
#define PCI_MSIX_FLAGS_MASKALL 0x4000u
#define PCI_MSIX_FLAGS_ENABLE  0x8000u
#define PCI_MSIX_TABLE	       4
#define PCI_MSIX_PBA	       8

#define PCI_EXP_FLAGS	       2
#define PCI_EXP_DEVCAP	       4
#define PCI_EXP_DEVCAP_FLR     0x10000000u
#define PCI_EXP_DEVCTL	       8
#define PCI_EXP_DEVCTL_BCR_FLR 0x8000u
#define PCI_EXP_DEVSTA	       10
#define PCI_EXP_LNKCAP	       12
#define PCI_EXP_LNKCTL	       16
#define PCI_EXP_LNKSTA	       18
#define PCI_EXP_DEVCTL2	       40

#define PCI_AF_CAP     3
#define PCI_AF_CAP_FLR 0x02u
#define PCI_AF_CTRL    4

#define PCI_EXT_CAP_ID_ATS	0x000fu
#define PCI_EXT_CAP_ID_SRIOV	0x0010u
#define PCI_EXT_CAP_ID_MCAST	0x0012u
#define PCI_EXT_CAP_ID_PRI	0x0013u
#define PCI_EXT_CAP_ID_REBAR	0x0015u
#define PCI_EXT_CAP_ID_PASID	0x001bu
#define PCI_EXT_CAP_ID_DPC	0x001du
#define PCI_EXT_CAP_ID_L1SS	0x001eu
#define PCI_EXT_CAP_ID_VF_REBAR 0x0024u

#endif
