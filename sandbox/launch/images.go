package launch

import (
	"context"
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"ctl/sandbox/copytree"
	"ctl/sandbox/image"
	"ctl/sandbox/lock"
	"ctl/sandbox/service"
)

// openImages mounts the disk images of the service where only its commands see them, for as long as the activation lasts.
func (r *Room) openImages() (err error) {
	s := r.s
	if s.RootImage != "" {
		root := service.Image{Source: s.RootImage, Options: s.RootOptions}
		if r.image, err = openImage("RootImage=", root, s.RootPolicy, s.RootEphemeral); err != nil {
			return err
		}
	}
	for _, i := range s.MountImages {
		m, err := openImage("MountImages=", i, s.MountPolicy, false)
		if err != nil {
			return err
		}
		r.images.Mount = append(r.images.Mount, m)
	}
	for _, i := range s.ExtensionImages {
		i.Options = append(i.Options, [2]string{"root", "ro"})
		m, err := openImage("ExtensionImages=", i, s.ExtensionPolicy, false)
		if err != nil {
			return err
		}
		r.images.Extension = append(r.images.Extension, m)
	}
	return nil
}

// openImage mounts an image, nil for one that there is not and need not be.
func openImage(setting string, i service.Image, policy string, ephemeral bool) (*image.Mounted, error) {
	o := image.Options{Mount: i.Options, Policy: image.Service(), Copy: ephemeral}
	if policy != "" {
		p, err := image.ParsePolicy(policy)
		if err != nil {
			return nil, at(namespaces, err)
		}
		o.Policy = p
	}
	m, err := image.Open(context.Background(), i.Source, o)
	if errors.Is(err, unix.ENOENT) && i.Optional {
		return nil, nil
	}
	if err != nil {
		return nil, detailed(namespaces, err, setting+i.Source+": "+err.Error())
	}
	defer m.Close()
	mounted, err := m.Mount()
	if err != nil {
		return nil, detailed(namespaces, err, setting+i.Source+": "+err.Error())
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
	r.copied, err = copytree.EphemeralAt(context.Background(), r.s.RootDirectory, path.Join(ephemeral, r.u.Name), copytree.Options{})
	if err != nil {
		return detailed(namespaces, err, "RootEphemeral=: "+err.Error())
	}
	r.leaves(r.copied.Path)
	r.leaves(lock.Beside(r.copied.Path))
	return nil
}
