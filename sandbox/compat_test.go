package sandbox

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctl/internal/cli"
	"ctl/internal/json"
	"ctl/internal/term"
	"ctl/sandbox/dmverity"
	"ctl/sandbox/image"
)

// compat is docs/compat.md: the cells of its tables, without their headings, by what the first cell of the heading says.
func compat(t *testing.T) map[string][][]string {
	t.Helper()
	data, err := os.ReadFile("../docs/compat.md")
	if err != nil {
		t.Fatal(err)
	}
	tables := make(map[string][][]string)
	section, heading := "", ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if s, ok := strings.CutPrefix(line, "## "); ok {
			section = s
		}
		if !strings.HasPrefix(line, "|") {
			heading = ""
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case heading == "":
			heading = section + ": " + cells[0]
		case !strings.HasPrefix(cells[0], "---"):
			tables[heading] = append(tables[heading], cells)
		}
	}
	return tables
}

// silent is a call that says nothing.
func silent(t *testing.T) *Call {
	t.Helper()
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	c := &Call{Name: "systemd-nspawn", env: term.Env{Getenv: os.Getenv, LookUp: os.LookupEnv}, Opt: defaults()}
	c.log = term.Log{Err: null, Out: null, Env: c.env, Name: c.Name}
	c.log.Open()
	return c
}

// judge is what becomes of a call, as far as its options decide.
func judge(c *Call, args []string) error {
	c.table = &cli.Table[Call]{Program: c.Name, Options: Options[:], Stops: true}
	if _, err := c.table.Parse(c, args); err != nil {
		return err
	}
	if c.Opt.userScope {
		return c.needsManager()
	}
	return c.verify()
}

// samples are values of options that take one, together with what they need besides.
var samples = map[string]string{
	"settings": "yes", "directory": "/", "template": "/ -D /x", "image": "/x.raw", "image-policy": "*", "oci-bundle": "/", "volatile": "yes",
	"root-hash": strings.Repeat("0", 64), "root-hash-sig": "base64:AAAA", "verity-data": "/x", "pivot-root": "/x", "chdir": "/", "setenv": "A=b",
	"uid": "0", "kill-signal": "TERM", "notify-ready": "yes", "suppress-sync": "yes", "machine": "a", "hostname": "a",
	"uuid": strings.Repeat("1", 32), "slice": "a.slice", "property": "TasksMax=5", "register": "no", "private-users": "pick",
	"private-users-ownership": "auto", "private-users-delegate": "1", "network-interface": "a", "network-macvlan": "a", "network-ipvlan": "a",
	"network-veth-extra": "a", "network-bridge": "a", "network-zone": "a", "network-namespace-path": "/x", "port": "1 --private-network",
	"capability": "CAP_KILL", "drop-capability": "CAP_KILL", "ambient-capability": "CAP_KILL", "no-new-privileges": "yes", "system-call-filter": "@mount",
	"restrict-address-families": "AF_INET", "selinux-context": "x", "selinux-apifs-context": "x", "rlimit": "CORE=1", "oom-score-adjust": "1",
	"cpu-affinity": "0", "personality": "x86-64", "resolv-conf": "off", "timezone": "off", "link-journal": "no", "forward-journal": "/x",
	"forward-journal-max-use": "1M --forward-journal=/x", "forward-journal-keep-free": "1M --forward-journal=/x",
	"forward-journal-max-file-size": "1M --forward-journal=/x", "forward-journal-max-files": "1 --forward-journal=/x",
	"bind": "/x", "bind-ro": "/x", "inaccessible": "/x", "tmpfs": "/x", "overlay": "/x:/y:/z", "overlay-ro": "/x:/y:/z", "bind-user": "a",
	"bind-user-shell": "yes --bind-user=a", "bind-user-group": "a --bind-user=a", "console": "pipe", "background": "44", "set-credential": "a:b",
	"load-credential": "a:/dev/null", "mstack": "/",
}

// TestCompat: docs/compat.md is true, and says of all that is refused or has no effect that it is.
func TestCompat(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run")
	tables := compat(t)
	refused, idle := make(map[string]bool), make(map[string]bool)
	name := func(word string) string {
		word, _, _ = strings.Cut(strings.TrimPrefix(word, "--"), "=")
		return word
	}
	for _, row := range tables["Options that are refused: option"] {
		args := strings.Fields(row[0])
		refused[name(args[0])] = true
		for i := range args {
			args[i] = strings.Replace(args[i], "=DIR", "="+t.TempDir(), 1)
		}
		if err := judge(silent(t), args); err == nil || err.Error() != row[1] {
			t.Errorf("%q: %v", row[0], err)
		}
	}
	for _, row := range tables["Options without effect: option"] {
		idle[name(row[0])] = true
		before, after := defaults(), silent(t)
		if err := judge(after, []string{strings.Replace(row[0], "=PATH", "=/x", 1)}); err != nil || !reflect.DeepEqual(before, after.Opt) {
			t.Errorf("%q has an effect: %v", row[0], err)
		}
	}
	for _, o := range Options {
		switch o.Long {
		case "", "help", "version", "hardened", "dry-run", "output":
			continue
		}
		word := "--" + o.Long
		if v, ok := samples[o.Long]; ok {
			word += "=" + v
		} else if o.Arg != "" && !o.Optional {
			t.Errorf("there is no sample for %s=", word)
			continue
		}
		args := strings.Fields(word)
		before, c := defaults(), silent(t)
		err := judge(c, args)
		if (err != nil) != (refused[o.Long] && o.Long != "private-users") {
			t.Errorf("%q: %v, but docs/compat.md says that it is refused: %t", args, err, refused[o.Long])
		}
		if o.Set != nil && err == nil && reflect.DeepEqual(before, c.Opt) != idle[o.Long] && o.Long != "system" && o.Long != "settings" && o.Long != "restrict-address-families" {
			t.Errorf("%q has an effect: %t", args, idle[o.Long])
		}
	}
	for _, row := range tables["Settings of .nspawn files: setting"] {
		c := silent(t)
		s, err := c.readFile("x", strings.NewReader("[Exec]\n"+strings.ReplaceAll(row[0], " ", "\n")+"\n[Network]\nPrivate="+strconv.FormatBool(strings.HasSuffix(row[0], "managed"))+"\n"))
		if err == nil {
			c.adopt(s, "x", true)
			err = c.verify()
		}
		if err == nil || err.Error() != row[1] {
			t.Errorf("%q: %v", row[0], err)
		}
	}
	for _, k := range fileKeys {
		listed := slices.ContainsFunc(tables["Settings of .nspawn files: setting"], func(row []string) bool {
			return strings.Contains(" "+row[0], " "+strings.TrimPrefix(k.name, "Exec.")+"=")
		})
		if k.option != "" && refused[k.option] != listed {
			t.Errorf("%s: the option is refused: %t, the setting is listed: %t", k.name, refused[k.option], listed)
		}
	}
}

// TestCompatImages: what is said of images stands in docs/compat.md.
func TestCompatImages(t *testing.T) {
	said := make(map[string]bool)
	for _, row := range compat(t)["Disk images: image"] {
		said[row[1]] = true
	}
	for _, err := range []error{image.ErrEncrypted, image.ErrFileSystem, image.ErrSignature,
		fmt.Errorf("%w: Operation not supported (%w)", image.ErrProtection, dmverity.ErrNoKernel)} {
		if !said[err.Error()] {
			t.Errorf("docs/compat.md does not have %q", err)
		}
	}
}

// TestCompatBundles: members of OCI bundles that are refused or have no effect stand in docs/compat.md, and do as it says.
func TestCompatBundles(t *testing.T) {
	tables := compat(t)
	listed := make(map[string]bool) // by the last component
	for _, table := range []string{"refused", "without effect"} {
		rows := tables["OCI bundles: "+table]
		if len(rows) == 0 {
			t.Errorf("docs/compat.md has no bundles %s", table)
		}
		for _, row := range rows {
			listed[path.Ext("."+row[0])] = true
			taken, refused := false, ""
			for _, value := range []string{`{}`, `[]`, `1`, `"x"`, `true`} {
				text := strings.ReplaceAll(row[0], ".", `":{"`)
				switch row[0] {
				case "linux.namespaces.path":
					text, value = `linux":{"namespaces`, `[{"type":"mount"},{"type":"pid","path":"/x"}]`
				case "linux.resources.blockIO.weightDevice.leafWeight":
					text, value = `linux":{"resources":{"blockIO":{"weightDevice`, `[{"major":8,"minor":0,"leafWeight":10}]`
				}
				v, err := json.Parse([]byte(`{"ociVersion":"1.0.0","` + text + `":` + value + strings.Repeat("}", strings.Count(text, "{")+1)))
				if err != nil {
					t.Fatal(err)
				}
				c, own := silent(t), defaults()
				err = json.Dispatch(v, bundleFields[:], &bundle{call: c, dir: "/", file: "x", o: &own})
				switch {
				case err == nil:
					taken = taken || reflect.DeepEqual(own, defaults())
				case !strings.Contains(err.Error(), "wrong type") && !strings.Contains(err.Error(), "unexpected member"):
					refused = err.Error()
				}
			}
			if (table == "refused") != (refused != "" && !taken) || !taken && refused == "" {
				t.Errorf("%s is %s: it is taken: %t; %q", row[0], table, taken, refused)
			}
		}
	}
	files, err := filepath.Glob("oci*.go")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name := idleField(n); name != "" && !listed["."+name] {
				t.Errorf("%s: docs/compat.md does not have the member %s", f, name)
			}
			return true
		})
	}
}

// idleField is the name of a member of bundles that is refused or without effect.
func idleField(n ast.Node) string {
	l, ok := n.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	values := make(map[string]string)
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			values[fmt.Sprint(kv.Key)] = "set"
			if b, ok := kv.Value.(*ast.BasicLit); ok {
				values[fmt.Sprint(kv.Key)], _ = strconv.Unquote(b.Value)
			}
			if s, ok := kv.Value.(*ast.SelectorExpr); ok && s.Sel.Name == "unsupported" {
				values[fmt.Sprint(kv.Key)] = ""
			}
		}
	}
	switch name := values["Name"]; {
	case values["Type"] == "", values["Set"] != "":
		return ""
	case name == "ociVersion", name == "defaultAction": // are looked at before
		return ""
	default:
		return name
	}
}
