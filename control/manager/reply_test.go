package manager

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

// message is a reply with values, as it is on the wire.
func message(t *testing.T, values ...any) []byte {
	t.Helper()
	m := dbus.Message{Type: dbus.TypeMethodReply, Body: values, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(uint32(7)), dbus.FieldSender: dbus.MakeVariant("org.freedesktop.systemd1")}}
	if len(values) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(values...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read is the message as we read it, and as godbus does.
func read(whole []byte) (ours, theirs []any, plain bool, err error) {
	fields := uint64(binary.LittleEndian.Uint32(whole[12:]))
	if 16+fields > uint64(len(whole)) {
		return nil, nil, false, nil
	}
	m := plainMessage(whole, whole[16:16+fields], new(kept))
	n, err := dbus.DecodeMessage(bytes.NewReader(whole))
	if m == nil || err != nil {
		return nil, nil, m != nil, err
	}
	for i, v := range m.Body {
		if _, ok := v.([]Property); ok {
			n.Body[i], _ = Properties(n.Body[i : i+1])
		}
	}
	return m.Body, n.Body, true, nil
}

// variants are equal if their values are.
var variants = cmp.Comparer(func(a, b dbus.Variant) bool {
	return cmp.Equal(a.Value(), b.Value(), cmp.AllowUnexported(dbus.Variant{}))
})

type row struct {
	A string
	B ObjectPath
	C uint32
	D []struct{ S, T string }
}

// TestPlainMessage: what is read without godbus is what godbus reads, and bytes changed at random are either refused or
// read alike.
func TestPlainMessage(t *testing.T) {
	bodies := [][]any{
		nil,
		{"text", uint32(1), true, false, byte(3), uint16(4), int32(-5), int64(-6), uint64(7), ObjectPath("/a")},
		{[]string{}, []string{"a", "bcd"}, []byte("xy"), [][]byte{{1}, {}, []byte("abc")}, []uint32{1, 2}, []uint64{3}, []int32{-4}, []ObjectPath{"/a", "/b"}},
		{[]row{{"a", "/b", 3, nil}, {"", "/", 4, []struct{ S, T string }{{"x", "y"}}}}},
		{[]struct {
			Name  string
			Value dbus.Variant
		}{{"A", dbus.MakeVariant("v")}, {"B", dbus.MakeVariant([]row{{A: "z", B: "/"}})}, {"C", dbus.MakeVariant([]string{})}, {"D", dbus.MakeVariant(uint64(1))}}},
	}
	for _, b := range bodies {
		whole := message(t, b...)
		ours, theirs, plain, err := read(whole)
		if err != nil || !plain {
			t.Fatalf("%v: plain %v, %v", b, plain, err)
		}
		if d := cmp.Diff(theirs, ours, variants); d != "" {
			t.Errorf("- godbus, + ours\n%s", d)
		}
		for i := range whole {
			if i >= 4 && i < 8 || i >= 12 && i < 16 {
				continue // the lengths, by which the message is cut out
			}
			for _, v := range []byte{0, 1, 8, 0x7f, 0xff, 's', 'a', '('} {
				spoiled := bytes.Clone(whole)
				spoiled[i] = v
				ours, theirs, plain, err := read(spoiled)
				if !plain {
					continue
				}
				if err != nil {
					t.Errorf("byte %d of %v is %d: read, but godbus says: %v", i, b, v, err)
				} else if d := cmp.Diff(theirs, ours, variants); d != "" {
					t.Errorf("byte %d of %v is %d: - godbus, + ours\n%s", i, b, v, d)
				}
			}
		}
	}
}

// TestPlainSignal: a signal is read as godbus reads it.
func TestPlainSignal(t *testing.T) {
	values := map[string]dbus.Variant{"ActiveState": dbus.MakeVariant("active")}
	m := dbus.Message{Type: dbus.TypeSignal, Flags: dbus.FlagNoReplyExpected, Body: []any{"a.b", values, []string{"c"}}, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath: dbus.MakeVariant(ObjectPath("/a")), dbus.FieldInterface: dbus.MakeVariant("b.c"), dbus.FieldMember: dbus.MakeVariant("D")}}
	m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.Body...))
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	header := whole[16 : 16+binary.LittleEndian.Uint32(whole[12:])]
	keepOrder(header, binary.LittleEndian)
	got := plainMessage(whole, header, new(kept))
	if got == nil {
		t.Fatal("it is not read")
	}
	want := []any{"a.b", []Property{{"ActiveState", "active"}}, []string{"c"}}
	if d := cmp.Diff(want, got.Body); d != "" {
		t.Errorf("- sent, + read\n%s", d)
	}
	for _, code := range []dbus.HeaderField{dbus.FieldPath, dbus.FieldInterface, dbus.FieldMember} {
		if got.Headers[code].Value() != m.Headers[code].Value() {
			t.Errorf("field %d is %v", code, got.Headers[code])
		}
	}
	if m := plainMessage(whole[:16], nil, new(kept)); m != nil {
		t.Errorf("without fields: %v", m)
	}
}
