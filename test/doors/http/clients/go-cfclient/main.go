// Stages an app with go-cfclient: create, upload, stage, follow, download.
//
// usage: go-cfclient API USER PASSWORD SPACE APP ZIP DROPLET
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"os"
	"time"

	"github.com/cloudfoundry/go-cfclient/v3/client"
	"github.com/cloudfoundry/go-cfclient/v3/config"
	"github.com/cloudfoundry/go-cfclient/v3/resource"
)

// What the test looks at.
type report struct {
	State   string `json:"state"`
	Current bool   `json:"current"`
	Bytes   int64  `json:"bytes"`
}

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cfg := must(config.New(os.Args[1], config.UserPassword(os.Args[2], os.Args[3])))
	cf := must(client.New(cfg))
	build := stage(ctx, cf, os.Args[4], os.Args[5], os.Args[6])
	app := must(cf.Applications.Single(ctx, named(os.Args[5])))
	must(cf.Droplets.SetCurrentAssociationForApp(ctx, app.GUID, build.Droplet.GUID))
	current := must(cf.Droplets.GetCurrentForApp(ctx, app.GUID))
	bytes := download(ctx, cf, build.Droplet.GUID, os.Args[7])
	if job := must(cf.Applications.Delete(ctx, app.GUID)); job != "" {
		check(cf.Jobs.PollComplete(ctx, job, quickly()))
	}
	done := report{State: string(build.State), Current: current.GUID == build.Droplet.GUID, Bytes: bytes}
	check(json.NewEncoder(os.Stdout).Encode(done))
}

func stage(ctx context.Context, cf *client.Client, spaceName, appName, bits string) *resource.Build {
	spaces := client.NewSpaceListOptions()
	spaces.Names.EqualTo(spaceName)
	space := must(cf.Spaces.Single(ctx, spaces))
	app := must(cf.Applications.Create(ctx, resource.NewAppCreate(appName, space.GUID)))
	pkg := must(cf.Packages.Create(ctx, resource.NewPackageCreate(app.GUID)))
	zip := must(os.Open(bits))
	defer zip.Close()
	must(cf.Packages.Upload(ctx, pkg.GUID, zip))
	check(cf.Packages.PollReady(ctx, pkg.GUID, quickly()))
	build := must(cf.Builds.Create(ctx, resource.NewBuildCreate(pkg.GUID)))
	check(cf.Builds.PollStaged(ctx, build.GUID, quickly()))
	return must(cf.Builds.Get(ctx, build.GUID))
}

func download(ctx context.Context, cf *client.Client, droplet, target string) int64 {
	body := must(cf.Droplets.Download(ctx, droplet))
	defer body.Close()
	out := must(os.Create(target))
	defer out.Close()
	return must(io.Copy(out, body))
}

func named(name string) *client.AppListOptions {
	options := client.NewAppListOptions()
	options.Names.EqualTo(name)
	return options
}

func quickly() *client.PollingOptions {
	options := client.NewPollingOptions()
	options.CheckInterval = 200 * time.Millisecond
	return options
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
