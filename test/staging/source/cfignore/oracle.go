// The real client's matcher, asked about generated apps. It reads JSON cases on stdin and writes, for each, the
// paths that `cf push` would send. The order of rules and the form of paths are those of
// actor/sharedaction/resource.go in cloudfoundry/cli.
package main

import (
	"encoding/json"
	"os"
	"strings"

	ignore "github.com/sabhiram/go-gitignore"
)

var defaults = []string{
	".cfignore", ".DS_Store", ".git", ".gitignore", ".hg", ".svn", "_darcs", "manifest.yaml", "manifest.yml",
}

type app struct {
	Kind  string   `json:"kind"`
	Rules *string  `json:"rules"`
	Paths []string `json:"paths"`
}

func main() {
	var apps []app
	if err := json.NewDecoder(os.Stdin).Decode(&apps); err != nil {
		panic(err)
	}
	sent := make([][]string, len(apps))
	for i, one := range apps {
		lines := append([]string{}, defaults...)
		if one.Rules != nil && one.Kind == "zip" {
			lines = append(lines, strings.Split(*one.Rules, "\n")...)
		} else if one.Rules != nil {
			lines = append(strings.Split(*one.Rules, "\n"), lines...)
		}
		matcher, err := ignore.CompileIgnoreLines(lines...)
		if err != nil {
			panic(err)
		}
		sent[i] = []string{}
		for _, path := range one.Paths {
			asked := path
			if one.Kind == "directory" {
				asked = strings.TrimSuffix(path, "/")
			}
			if !matcher.MatchesPath(asked) {
				sent[i] = append(sent[i], path)
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(sent); err != nil {
		panic(err)
	}
}
