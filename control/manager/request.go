package manager

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"
)

// plainCall writes a call whose arguments are of the usual types as godbus writes it, without the reflection that takes most of the time of a
// short call. It is nil for any other; that is then godbus's to write, or to refuse.
func plainCall(call Call, destination string, flags dbus.Flags, serial uint32) []byte {
	w := writer{b: make([]byte, 0, 512), plain: call.Path.IsValid()}
	w.b = append(w.b, 'l', byte(dbus.TypeMethodCall), byte(flags), 1, 0, 0, 0, 0) // the length of the body comes later
	w.uint32(serial)
	w.uint32(0) // and that of the fields
	w.field(dbus.FieldPath, "o", string(call.Path))
	w.field(dbus.FieldInterface, "s", call.Interface)
	w.field(dbus.FieldMember, "s", call.Method)
	if destination != "" {
		w.field(dbus.FieldDestination, "s", destination)
	}
	if len(call.Args) > 0 {
		w.align(8)
		w.b = append(w.b, byte(dbus.FieldSignature), 1, 'g', 0)
		w.signature(call.Args)
	}
	const header = 16
	binary.LittleEndian.PutUint32(w.b[12:], uint32(len(w.b)-header))
	w.align(8)
	body := len(w.b)
	for _, v := range call.Args {
		w.value(v)
	}
	binary.LittleEndian.PutUint32(w.b[4:], uint32(len(w.b)-body))
	if !w.plain || len(w.b) > maxMessage {
		return nil
	}
	return w.b
}

// A writer writes a message.
type writer struct {
	b     []byte
	plain bool // there was nothing that is not written here
}

func (w *writer) align(n int) {
	for len(w.b)%n != 0 {
		w.b = append(w.b, 0)
	}
}

func (w *writer) uint32(n uint32) {
	w.align(4)
	w.b = binary.LittleEndian.AppendUint32(w.b, n)
}

func (w *writer) string(s string) {
	w.plain = w.plain && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
	w.uint32(uint32(len(s)))
	w.b = append(append(w.b, s...), 0)
}

func (w *writer) field(code dbus.HeaderField, kind, value string) {
	w.align(8)
	w.b = append(w.b, byte(code), 1, kind[0], 0)
	w.string(value)
}

// signature writes the types of values.
func (w *writer) signature(values []any) {
	at := len(w.b)
	w.b = append(w.b, 0)
	for _, v := range values {
		switch v.(type) {
		case string:
			w.b = append(w.b, 's')
		case []string:
			w.b = append(w.b, 'a', 's')
		case uint32:
			w.b = append(w.b, 'u')
		case bool:
			w.b = append(w.b, 'b')
		default:
			w.plain = false
		}
	}
	w.b[at] = byte(len(w.b) - at - 1)
	w.b = append(w.b, 0)
	w.plain = w.plain && len(values) < 100 // a signature has at most 255 letters
}

func (w *writer) value(v any) {
	switch v := v.(type) {
	case string:
		w.string(v)
	case []string:
		w.uint32(0)
		at := len(w.b)
		for _, s := range v {
			w.string(s)
		}
		binary.LittleEndian.PutUint32(w.b[at-4:], uint32(len(w.b)-at))
	case uint32:
		w.uint32(v)
	case bool:
		n := uint32(0)
		if v {
			n = 1
		}
		w.uint32(n)
	}
}
