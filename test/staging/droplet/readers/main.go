// Lists a .tar.gz the way a Cloud Foundry cell reads it: compress/gzip over archive/tar.
package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

type entry struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Mode   int64  `json:"mode"`
	Size   int64  `json:"size"`
	Link   string `json:"link"`
	Owner  string `json:"owner"`
	Digest string `json:"digest"`
}

func run(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	reader := tar.NewReader(unzipped)
	encoder := json.NewEncoder(os.Stdout)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, unzipped)
			return err
		}
		if err != nil {
			return err
		}
		digest := sha256.New()
		if _, err := io.Copy(digest, reader); err != nil {
			return err
		}
		owner := fmt.Sprintf("%s:%s %d:%d", header.Uname, header.Gname, header.Uid, header.Gid)
		sum := hex.EncodeToString(digest.Sum(nil))
		name := hex.EncodeToString([]byte(header.Name))
		link := hex.EncodeToString([]byte(header.Linkname))
		if err := encoder.Encode(entry{name, string(header.Typeflag), header.Mode, header.Size, link, owner, sum}); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
