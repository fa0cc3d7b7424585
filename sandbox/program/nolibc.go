//go:build !cgo

package program

const libc = false
