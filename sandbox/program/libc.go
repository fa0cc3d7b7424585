//go:build cgo

package program

// libc says that there may be a C library, whose threads have the kernel write into their memory, rseq(2), which is then where no memory is.
const libc = true
