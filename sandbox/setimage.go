package sandbox

import (
	"encoding/base64"
	"encoding/hex"
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
	hash, ok := image.ParseHash(v)
	if !ok {
		if _, err := hex.DecodeString(v); err != nil {
			return cli.Usage("Failed to parse root hash: " + v)
		}
		return cli.Usage("Root hash must be at least 128-bit long: " + v)
	}
	c.Opt.verity.Hash = hash
	return nil
}

func setRootHashSignature(c *Call, v string) (err error) {
	var signature []byte
	if text, ok := strings.CutPrefix(v, "base64:"); ok {
		if signature, err = base64.StdEncoding.DecodeString(text); err != nil {
			return cli.Usage("Failed to parse root hash signature '" + v + "': Invalid argument")
		}
	} else if signature, err = image.ReadSignature(v); err != nil {
		return cli.Usage("Failed to parse root hash signature file '" + v + "': " + strerror(err))
	}
	if len(signature) > 0 {
		c.Opt.verity.Signature = signature
	}
	return nil
}

func setVerityData(c *Call, v string) (err error) {
	c.Opt.verity.Data, err = absolute(v)
	return err
}

func setDelegate(c *Call, v string) (err error) {
	c.Opt.given |= givenUsers
	if c.Opt.delegate, err = unit.Unsigned(v, 32); err != nil {
		return cli.Usage("Failed to parse --private-users-delegate= parameter: " + v)
	}
	return nil
}
