package oracle

import (
	"fmt"
	"os"
	"os/exec"
)

// apart has apt-get(8) look at the release $RELEASE of Debian and at nothing of this machine, from a directory that is gone in the end.
const apart = `set -e
trap 'rm -rf "$DIR.apt"' EXIT
rm -rf "$DIR.apt" "$DIR.new"
mkdir -p "$DIR.apt/lists/partial" "$DIR.apt/cache/archives/partial"
cd "$DIR.apt"
echo "deb $MIRROR $RELEASE main" >sources.list
cat >conf <<EOF
Dir::Etc::sourcelist "$DIR.apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$DIR.apt/lists";
Dir::Cache "$DIR.apt/cache";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Sandbox::User "root";
EOF
export APT_CONFIG=$DIR.apt/conf
apt-get -q update
`

// download makes a directory of the cache, unless it is there, by a script that makes $DIR.new of packages of a release.
func download(dir, release, script string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	mirror, err := mirror()
	if err != nil {
		return err
	}
	lock, err := lockCache()
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	cmd := exec.Command("sh", "-c", apart+script+`mv "$DIR.new" "$DIR"`)
	cmd.Env = append(os.Environ(), "DIR="+dir, "MIRROR="+mirror, "RELEASE="+release)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make %s: %w: %s", dir, err, tail(out))
	}
	return nil
}
