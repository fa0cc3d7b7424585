package main

// int80 makes a system call by the 32-bit entry of the kernel.
func int80(nr, a, b, c uintptr) uintptr
