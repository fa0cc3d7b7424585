package image

import (
	"encoding/hex"
	"runtime"
	"slices"
)

// A role is what a partition is for.
type role int

// The roles, in the order in which they are mounted.
const (
	root role = iota
	usr
	home
	srv
	esp
	boot
	variable
	temporary
	roles
)

// places are where the roles are mounted. The EFI system partition is at /efi or /boot, whichever there is.
func (r role) place() string {
	return [...]string{"/", "/usr", "/home", "/srv", "/efi", "/boot", "/var", "/var/tmp"}[r]
}

// name is what an image policy calls the role.
func (r role) name() string {
	return [...]string{"root", "usr", "home", "srv", "esp", "xbootldr", "var", "tmp"}[r]
}

// A partitionType says what the partitions of a type are for.
type partitionType struct {
	id   string // of the Discoverable Partitions Specification
	role role
	arch string // "" for any; others' systems can be started where their programs can
}

func partitionTypes() []partitionType {
	return []partitionType{
		{"4f68bce3e8cd4db196e7fbcaf984b709", root, "amd64"}, {"8484680c952148c69c11b0720656f69e", usr, "amd64"},
		{"44479540f29741b29af7d131d5f0458a", root, "386"}, {"75250d768cc6458ebd66bd47cc81a812", usr, "386"},
		{"b921b0451df041c3af444c6f280d3fae", root, "arm64"}, {"b0e01050ee5f4390949a9101b17104e9", usr, "arm64"},
		{"69dad7102ce44e3cb16c21a1d49abed3", root, "arm"}, {"7d0359a302b34f0a865c654403e70625", usr, "arm"},
		{"72ec70a6cf7440e6bd494bda08e8f224", root, "riscv64"}, {"beaec34b8442439ba40b984381ed097d", usr, "riscv64"},
		{"c31c45e63f39412e80fb4809c4980599", root, "ppc64le"}, {"15bb03af77e74d4ab12bc0d084f7491c", usr, "ppc64le"},
		{"5eead9a9fe094a1ea1d7520d00531306", root, "s390x"}, {"8a4f577050aa4ed3874a99b710db6fea", usr, "s390x"},
		{"77055800792c4f94b39a98c91b762bb6", root, "loong64"}, {"e611c702575c4cbe9a46434fa0bf7e3f", usr, "loong64"},
		{"933ac7e12eb44f13b8440e14e2aef915", home, ""}, {"3b8f842520e04f3b907f1a25a76f98e8", srv, ""},
		{"c12a7328f81f11d2ba4b00a0c93ec93b", esp, ""}, {"bc13c2ff59e64262a352b275fd6f7172", boot, ""},
		{"4d21b016b53445c2a9fb5c16e091fd2d", variable, ""}, {"7ec6f5573bc54acab29316ef5df639d1", temporary, ""},
	}
}

// generic is the type of any partition of Linux, which is the root directory if it is the only one.
const generic = "0fc63daf848347728e793d69d8477de4"

// typeID writes the type of a partition, of which the disk has some bytes in reverse order.
func typeID(b [16]byte) string {
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return hex.EncodeToString(b[:])
}

// preference is the better the smaller: ours, what our processor runs too, anything.
func preference(arch string) int {
	switch {
	case arch == "" || arch == runtime.GOARCH:
		return 0
	case runtime.GOARCH == "amd64" && arch == "386", runtime.GOARCH == "arm64" && arch == "arm":
		return 1
	}
	return 2
}
