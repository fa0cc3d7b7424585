package unit

import (
	"encoding/binary"
	"math/bits"
)

// SipHash is SipHash-2-4.
func SipHash(key [2]uint64, data string) uint64 {
	a, b, c, d := key[0]^0x736f6d6570736575, key[1]^0x646f72616e646f6d, key[0]^0x6c7967656e657261, key[1]^0x7465646279746573
	rounds := func(n int) {
		for range n {
			a, c = a+b, c+d
			b, d = bits.RotateLeft64(b, 13)^a, bits.RotateLeft64(d, 16)^c
			a = bits.RotateLeft64(a, 32)
			c, a = c+b, a+d
			b, d = bits.RotateLeft64(b, 17)^c, bits.RotateLeft64(d, 21)^a
			c = bits.RotateLeft64(c, 32)
		}
	}
	word := func(m uint64) {
		d ^= m
		rounds(2)
		a ^= m
	}
	length := len(data)
	for ; len(data) >= 8; data = data[8:] {
		word(binary.LittleEndian.Uint64([]byte(data[:8])))
	}
	var last [8]byte
	copy(last[:], data)
	last[7] = byte(length)
	word(binary.LittleEndian.Uint64(last[:]))
	c ^= 0xff
	rounds(4)
	return a ^ b ^ c ^ d
}
