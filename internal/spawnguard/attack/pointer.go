package main

import "unsafe"

func pointer(v *int32) unsafe.Pointer { return unsafe.Pointer(v) }
