package unit

import "testing"

// TestSipHash takes the values from the paper "SipHash: a fast short-input PRF", appendix A, and its reference vectors.
func TestSipHash(t *testing.T) {
	key := [2]uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	for data, want := range map[string]uint64{
		"": 0x726fdb47dd0e0e31,
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e": 0xa129ca6149be45e5,
	} {
		if got := SipHash(key, data); got != want {
			t.Errorf("%q: %x, not %x", data, got, want)
		}
	}
}
