package console

import "time"

// escapeKey is what is typed three times to kill the container: ^].
const escapeKey = 0x1d

// keys looks for sequences of keys that are meant for the host. They are forwarded all the same.
type keys struct {
	count int
	first time.Time // when the first escapeKey of count was typed
}

// scan tells whether what was typed kills the container, and calls hotkey for other sequences.
func (k *keys) scan(typed []byte, now time.Time, hotkey func(byte)) (kill bool) {
	for _, b := range typed {
		switch {
		case b != escapeKey:
			if k.count == 2 && b >= 'a' && b <= 'z' && now.Sub(k.first) <= time.Second && hotkey != nil {
				hotkey(b)
			}
			k.count = 0
		case k.count == 0 || now.Sub(k.first) > time.Second:
			k.count, k.first = 1, now
		default:
			if k.count++; k.count == 3 {
				return true
			}
		}
	}
	return false
}
