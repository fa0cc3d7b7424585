package managertest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// pages are how many units are shown that have resources and troubles which no unit of a machine without such controllers has.
const pages = 40

// pageSocket is where the manager of such a unit listens.
func pageSocket(dir string, number int) string { return fmt.Sprintf("%s/page%d", dir, number) }

// properties are what such a unit may have: names by the signature of their values.
var properties = map[byte][]string{
	't': {"MemoryCurrent", "MemoryPeak", "MemorySwapCurrent", "MemorySwapPeak", "MemoryZSwapCurrent", "MemoryAvailable", "MemoryMin", "MemoryLow",
		"MemoryHigh", "MemoryMax", "MemorySwapMax", "MemoryZSwapMax", "MemoryLimit", "StartupMemoryLow", "StartupMemoryHigh", "StartupMemoryMax",
		"StartupMemorySwapMax", "StartupMemoryZSwapMax", "EffectiveMemoryMax", "EffectiveMemoryHigh", "EffectiveTasksMax", "CPUUsageNSec",
		"TasksCurrent", "TasksMax", "IPIngressBytes", "IPEgressBytes", "IOReadBytes", "IOWriteBytes", "RuntimeMaxUSec", "RuntimeRandomizedExtraUSec"},
	'u': {"NFileDescriptorStore", "FileDescriptorStoreMax", "StatusErrno"},
	's': {"StatusText", "StatusBusError", "StatusVarlinkError", "FreezerState", "UnitFileState", "UnitFilePreset", "Result", "Following", "SourcePath", "LoadState",
		"ActiveState", "SubState"},
	'b': {"Transient", "ConditionResult"},
}

// numbers are values of numbers; the last stands for none.
var numbers = [...]uint64{0, 1, 1023, 1024, 1536, 10 << 20, 1<<30 + 1<<29, 7 << 40, 1<<64 - 1}

// words are values of texts that are more than a word by themselves.
var words = map[string][]string{
	"LoadState": {"loaded", "masked", "not-found", "error", "bad-setting"}, "ActiveState": {"active", "failed", "inactive", "activating", "maintenance"},
	"SubState": {"running", "exited", "failed", "auto-restart"}, "FreezerState": {"running", "freezing", "frozen", "freezing-by-parent", "frozen-by-parent", "thawing", ""},
	"UnitFileState": {"enabled", "disabled", "masked", "static", "generated", "transient", "bad", ""}, "UnitFilePreset": {"enabled", "disabled", "ignored", ""},
	"Result": {"success", "exit-code", "oom-kill", "condition"}, "Following": {"", "other.device"},
	"StatusText": {"", "Ready", "two\nlines"}, "StatusBusError": {"", "org.example.Error"}, "StatusVarlinkError": {"", "io.systemd.Nope"},
	"SourcePath": {"", "/etc/fstab"},
}

// page answers as a manager would that has one unit, made from a number.
func page(number int) func(*peer) {
	return answers(func(p *peer, c call) {
		switch c.member {
		case "GetUnit", "LoadUnit":
			p.reply(c, "o", text("/org/freedesktop/systemd1/unit/a_2eservice"))
		case "GetAll":
			p.reply(c, "a{sv}", dictionary(number))
		default:
			p.refuse(c, "org.freedesktop.DBus.Error.UnknownMethod", "no such method")
		}
	})
}

// dictionary is the reply with all properties of the unit.
func dictionary(number int) []byte {
	r := rand.New(rand.NewPCG(uint64(number), 1))
	b := pad(binary.LittleEndian.AppendUint32(nil, 0), 8)
	add := func(name string, signature byte, value any) {
		b = binary.LittleEndian.AppendUint32(pad(b, 8), uint32(len(name)))
		b = append(append(b, name...), 0, 1, signature, 0)
		switch v := value.(type) {
		case uint64:
			b = binary.LittleEndian.AppendUint64(pad(b, 8), v)
		case uint32:
			b = binary.LittleEndian.AppendUint32(pad(b, 4), v)
		case string:
			b = binary.LittleEndian.AppendUint32(pad(b, 4), uint32(len(v)))
			b = append(append(b, v...), 0)
		}
	}
	add("Id", 's', "a.service")
	add("Description", 's', "A unit")
	for _, signature := range []byte("tusb") {
		for _, name := range properties[signature] {
			if r.IntN(3) == 0 && name != "MemorySwapCurrent" && !strings.HasSuffix(name, "State") {
				continue
			}
			n := numbers[r.IntN(len(numbers))]
			if n+1 == 0 && name == "MemorySwapCurrent" {
				n = 0 // the reference writes "(null)"
			}
			switch signature {
			case 't':
				add(name, 't', n)
			case 'u':
				add(name, 'u', uint32(n%200))
			case 's':
				add(name, 's', words[name][r.IntN(len(words[name]))])
			case 'b':
				add(name, 'b', uint32(n&1))
			}
		}
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-8))
	return b
}

// TestPages shows units that a manager made up.
func TestPages(t *testing.T) {
	m := oracle.Boot(t, "")
	const dir = "/run/peers"
	startPeers(t, m, dir)
	lines := []string{"status -n0 a.service", "status -n0 --output=short -l a.service", "is-active a.service", "is-failed a.service"}
	shown := 0
	for i := range pages {
		script := "mount --bind " + pageSocket(dir, i) + " /run/systemd/private; export SYSTEMD_COLORS=" + fmt.Sprint(i%2) + "\n"
		want := answersOf(t, m, script, "/usr/bin/systemctl", lines)
		got := answersOf(t, m, script, "/ctl/systemctl", lines)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("page %d: - the reference, + ctl\n%s", i, d)
		}
		shown += strings.Count(want[0], " Memory: ")
	}
	if shown < pages/4 {
		t.Errorf("the reference showed memory %d times", shown)
	}
}
