/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers of PCI's configuration space, as far as the server has to know them. */
#ifndef VFIO_USER_PCI_H
#define VFIO_USER_PCI_H

#define PCI_CONFIG_SIZE	     256u
#define PCIE_CONFIG_SIZE     4096u
#define PCI_FIRST_CAPABILITY 0x40u

/* The header. */
#define PCI_IDS		     0x00u
#define PCI_COMMAND	     0x04u
#define PCI_COMMAND_IO	     0x0001u
#define PCI_COMMAND_MEMORY   0x0002u
#define PCI_COMMAND_MASTER   0x0004u
#define PCI_COMMAND_INTX_OFF 0x0400u
#define PCI_STATUS	     0x06u
#define PCI_STATUS_INTERRUPT 0x0008u
#define PCI_STATUS_CAPS	     0x0010u
#define PCI_CLASS	     0x08u
#define PCI_BAR0	     0x10u
#define PCI_SUBSYSTEM	     0x2cu
#define PCI_ROM		     0x30u
#define PCI_CAPABILITIES     0x34u
#define PCI_INTERRUPT_LINE   0x3cu
#define PCI_INTERRUPT_PIN    0x3du

/* Capabilities: their ids, and registers relative to their beginning. */
#define PCI_CAP_PM   0x01u
#define PCI_CAP_MSI  0x05u
#define PCI_CAP_PCIE 0x10u
#define PCI_CAP_MSIX 0x11u
#define PCI_CAP_AF   0x13u

#define PCI_PM_STATE	     0x03u
#define PCI_PM_NO_SOFT_RESET 0x08u
#define PCI_MSI_CONTROL	     0x02u
#define PCI_MSI_64BIT	     0x0080u
#define PCI_MSI_MASKABLE     0x0100u
#define PCI_MSIX_CONTROL     0x02u
#define PCI_MSIX_TABLE	     0x04u
#define PCI_PCIE_FLAGS	     0x02u
#define PCI_PCIE_DEVCAP	     0x04u
#define PCI_PCIE_DEVCAP_FLR  0x10000000u
#define PCI_PCIE_DEVCTL	     0x08u
#define PCI_AF_CAP	     0x03u
#define PCI_AF_CAP_FLR	     0x02u
#define PCI_AF_CONTROL	     0x04u

/* Extended capabilities. */
#define PCIE_CAP_ATS	   0x000fu
#define PCIE_CAP_SRIOV	   0x0010u
#define PCIE_CAP_MULTICAST 0x0012u
#define PCIE_CAP_PRI	   0x0013u
#define PCIE_CAP_REBAR	   0x0015u
#define PCIE_CAP_PASID	   0x001bu
#define PCIE_CAP_DPC	   0x001du
#define PCIE_CAP_L1SS	   0x001eu
#define PCIE_CAP_VF_REBAR  0x0024u

#endif
