//go:build !amd64

package main

// int80 does not exist here.
func int80(uintptr, uintptr, uintptr, uintptr) uintptr { return 0 }
