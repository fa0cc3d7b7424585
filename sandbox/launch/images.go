package launch

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/copytree"
	"ctl/sandbox/image"
	"ctl/sandbox/lock"
	"ctl/sandbox/service"
)

// pickVersions takes the newest versions where paths lead to versioned directories, systemd.v(7). Where there is none and need not be, the
// path becomes "".
func (r *Room) pickVersions() error {
	s := *r.s
	newest := func(setting string, k image.Sought, p *string) error {
		if *p == "" {
			return nil
		}
		found, err := k.Newest(*p)
		if err != nil {
			return detailed(namespaces, err, setting+*p+": "+sys.Message(err))
		}
		*p = found
		return nil
	}
	missing := func(err error) bool { return errors.Is(err, image.ErrNoVersion) || errors.Is(err, unix.ENOENT) }
	if err := newest("RootDirectory=", image.Trees, &s.RootDirectory); err != nil {
		return err
	}
	if err := newest("RootImage=", image.Images, &s.RootImage); err != nil {
		return err
	}
	s.ExtensionDirectories, s.ExtensionImages = slices.Clone(s.ExtensionDirectories), slices.Clone(s.ExtensionImages)
	for i := range s.ExtensionDirectories {
		d := &s.ExtensionDirectories[i]
		if err := newest("ExtensionDirectories=", image.Trees, &d.Path); d.Optional && missing(err) {
			d.Path = ""
		} else if err != nil {
			return err
		}
	}
	for i := range s.ExtensionImages {
		m := &s.ExtensionImages[i]
		if err := newest("ExtensionImages=", image.Images, &m.Source); m.Optional && missing(err) {
			m.Source = ""
		} else if err != nil {
			return err
		}
	}
	r.s = &s
	return nil
}

// openImages mounts the disk images of the service where only its commands see them, for as long as the activation lasts.
func (r *Room) openImages() (err error) {
	s := r.s
	if s.RootImage != "" {
		root := service.Image{Source: s.RootImage, Options: s.RootOptions}
		o := image.Options{Copy: s.RootEphemeral}
		if o.Verity, err = verity(s); err != nil {
			return err
		}
		if r.image, err = openImage("RootImage=", root, s.RootPolicy, o); err != nil {
			return err
		}
	}
	for _, i := range s.MountImages {
		m, err := openImage("MountImages=", i, s.MountPolicy, image.Options{})
		if err != nil {
			return err
		}
		r.images.Mount = append(r.images.Mount, m)
	}
	for _, i := range s.ExtensionImages {
		i.Options = append(i.Options, [2]string{"root", "ro"})
		m, err := openImage("ExtensionImages=", i, s.ExtensionPolicy, image.Options{Policy: image.Extensions()})
		if err != nil {
			return err
		}
		r.images.Extension = append(r.images.Extension, m)
	}
	return nil
}

// verity is how RootImage= is checked, as the unit says it.
func verity(s *service.Exec) (v image.Verity, err error) {
	v = image.Verity{Hash: s.RootHash.Data, Signature: s.RootSignature.Data, Data: s.RootVerity}
	if p := s.RootHash.Path; p != "" {
		if v.Hash, err = image.ReadHash(p); err != nil {
			return v, detailed(namespaces, err, "RootHash="+p+": "+err.Error())
		}
	}
	if p := s.RootSignature.Path; p != "" {
		v.Signature, err = image.ReadSignature(p)
		if err != nil && !errors.Is(err, unix.ENOENT) { // without one the policy decides
			return v, detailed(namespaces, err, "RootHashSignature="+p+": "+err.Error())
		}
	}
	return v, nil
}

// openImage mounts an image, nil for one that there is not and need not be.
func openImage(setting string, i service.Image, policy string, o image.Options) (*image.Mounted, error) {
	failed := func(err error) error { return detailed(namespaces, err, setting+i.Source+": "+err.Error()) }
	o.Mount, o.Policy = i.Options, cmp.Or(o.Policy, image.Service())
	if policy != "" {
		p, err := image.ParsePolicy(policy)
		if err != nil {
			return nil, at(namespaces, err)
		}
		o.Policy = p
	}
	if i.Source == "" {
		return nil, nil
	}
	if err := o.Verity.Beside(i.Source); err != nil {
		return nil, failed(err)
	}
	m, err := image.Open(context.Background(), i.Source, o)
	if errors.Is(err, unix.ENOENT) && i.Optional {
		return nil, nil
	}
	if err != nil {
		return nil, failed(err)
	}
	defer m.Close()
	mounted, err := m.Mount()
	if err != nil {
		return nil, failed(err)
	}
	return mounted, nil
}

// ephemeral is where the copies of root directories are.
const ephemeral = "/var/lib/systemd/ephemeral-trees"

// copyRoot makes the copy of RootDirectory= that the commands of one activation have instead, RootEphemeral=.
func (r *Room) copyRoot() (err error) {
	if !r.s.RootEphemeral || r.s.RootDirectory == "" || r.s.RootImage != "" {
		return nil
	}
	if err := os.MkdirAll(ephemeral, 0o755); err != nil {
		return at(namespaces, err)
	}
	_, _ = copytree.Clean(path.Join(ephemeral, r.u.Name)) // of a call that was killed
	root, err := filepath.EvalSymlinks(r.s.RootDirectory)
	if err != nil {
		return detailed(namespaces, err, "RootDirectory="+r.s.RootDirectory+": "+sys.Message(err))
	}
	r.copied, err = copytree.EphemeralAt(context.Background(), root, path.Join(ephemeral, r.u.Name), copytree.Options{})
	if err != nil {
		return detailed(namespaces, err, "RootEphemeral=: "+err.Error())
	}
	r.leaves(r.copied.Path)
	r.leaves(lock.Beside(r.copied.Path))
	return nil
}
