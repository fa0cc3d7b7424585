package sandbox

import (
	"encoding/hex"
	"os"
	"strings"

	"ctl/internal/cli"
	"ctl/internal/unit"
	"ctl/sandbox/image"
)

func setImage(c *Call, v string) (err error) {
	c.Opt.image, err = absolute(v)
	return err
}

func setMstack(c *Call, v string) (err error) {
	c.Opt.mstack, err = absolute(v)
	return err
}

func setOCIBundle(c *Call, v string) (err error) {
	c.Opt.ociBundle, err = absolute(v)
	return err
}

func setMountLabel(c *Call, v string) error {
	c.Opt.mountLabel = &v
	return nil
}

func setLabel(c *Call, v string) error {
	c.Opt.label = v
	return nil
}

func setImagePolicy(c *Call, v string) error {
	p, err := image.ParsePolicy(v)
	if err != nil {
		return cli.Usage(err.Error())
	}
	c.Opt.imagePolicy = p
	return nil
}

func setRootHash(c *Call, v string) error {
	c.Opt.rootHash = true
	if b, err := hex.DecodeString(v); err != nil || len(b) < 16 {
		return cli.Usage("Failed to parse root hash: " + v)
	}
	return nil
}

func setRootHashSignature(_ *Call, v string) error {
	if strings.HasPrefix(v, "base64:") {
		return nil
	}
	if _, err := os.Stat(v); err != nil {
		return cli.Usage("Failed to parse root hash signature file '" + v + "': " + strerror(err))
	}
	return nil
}

func setDelegate(c *Call, v string) (err error) {
	c.Opt.given |= givenUsers
	if c.Opt.delegate, err = unit.Unsigned(v, 32); err != nil {
		return cli.Usage("Failed to parse --private-users-delegate= parameter: " + v)
	}
	return nil
}
