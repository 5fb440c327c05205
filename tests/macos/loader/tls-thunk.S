/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The descriptor is in rdi, the address goes to rax. The compiler expects every other register
 * to keep its value, those of vectors included.
 */
	.text
	.globl	macho_tls_thunk
	.hidden	macho_tls_thunk
	.type	macho_tls_thunk, @function
macho_tls_thunk:
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	subq	$512, %rsp
	andq	$-16, %rsp
	fxsave64 (%rsp)
	call	macho_tls_address
	fxrstor64 (%rsp)
	leaq	-64(%rbp), %rsp
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	popq	%rbp
	ret
	.size	macho_tls_thunk, . - macho_tls_thunk
	.section .note.GNU-stack, "", @progbits
