package spawnguard

import (
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestRootless starts containers as a user, as root of a user namespace, and in a container of a container.
func TestRootless(t *testing.T) {
	const check = ` -D t sh -c 'id -u; [ -e /proc/1/exe ] && echo sh; echo x >/root/file && cat /root/file; ls /proc/sys/kernel/core_pattern /sys/class /dev/null /dev/pts/ptmx >/dev/null && echo complete; echo x >/dev/null && hostname; (echo x >/proc/sys/kernel/core_pattern) 2>/dev/null || echo kept'; echo "$?."
`
	const complete = "0\nsh\nx\ncomplete\nt\nkept\n0.\n"
	for name, script := range map[string]string{
		"user":           "exec setpriv --reuid 1000 --regid 1000 --clear-groups sh -c '%'",
		"no groups":      "exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set=-all sh -c '%'",
		"root of itself": "exec setpriv --reuid 1000 --regid 1000 --clear-groups unshare -Urm sh -c '%'",
		"with a network": "exec setpriv --reuid 1000 --regid 1000 --clear-groups unshare -Urn sh -c '%'",
		"many IDs":       "exec unshare --map-users=0,0,65536 --map-groups=0,0,65536 -U -m --setuid 0 sh -c '%'",
		"container":      "exec $plain -D full --bind=/ctl --bind=/var/lib/machines/t --chdir=/var/lib/machines sh -c '%'",
	} {
		t.Run(name, func(t *testing.T) {
			setup := "chmod 755 t; chown -R 1000:1000 t; chown root:root t/srv/device\n"
			switch name {
			case "no groups":
				setup = "chown -R 65534:65534 t\n"
			case "many IDs", "container":
				setup = "\n"
			}
			inner := ""
			for _, s := range []string{"$plain", "$hard", "$plain -a", "$plain --private-network", "$plain --volatile=overlay", "$plain --read-only --pipe"} {
				inner += s + check
			}
			inner = strings.ReplaceAll(modes+inner, "'", `'\''`)
			r := hostile(t, oracle.HostCall{Full: name == "container", Setup: setup, Script: strings.ReplaceAll(script, "%", inner)})
			t.Logf("%s\n%s", r.Stdout, r.Stderr)
			if n := strings.Count(r.Stdout, complete); n != 5 {
				t.Errorf("%d containers were complete", n)
			}
		})
	}
}

// TestNoUserNamespaces: there are no more user namespaces, in one where that is so.
func TestNoUserNamespaces(t *testing.T) {
	r := hostile(t, oracle.HostCall{Setup: "chown -R 1000:1000 t; chown root:root t/srv/device\n", Script: `
few() { unshare --map-users=0,0,200000 --map-groups=0,0,200000 -U -m --setuid 0 sh -c "echo $1 >/proc/sys/user/max_user_namespaces; $2"; }
for s in "$plain" "$plain -U" "$hard"; do few 0 "$s -D t true" 2>&1; echo "$?."; done
few 1 "setpriv --reuid 1000 --regid 1000 --clear-groups $plain -D t true" 2>&1; echo "$?."
few 0 "setpriv --reuid 1000 --regid 1000 --clear-groups $plain -D t true" 2>&1; echo "$?."`})
	const full = ": No space left on device\n1.\n"
	want := strings.Repeat("Failed to fork inner child"+full, 4) + "Failed to make a user namespace, without which only root can start containers" + full
	if r.Stdout != want {
		t.Errorf("%q", r.Stdout)
	}
}
