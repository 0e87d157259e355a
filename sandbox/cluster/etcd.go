package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

// newEtcd is a one-member etcd. It never syncs to disk: a sandbox begins empty at every start.
func newEtcd() *cobra.Command {
	var directory, client, peer string
	command := &cobra.Command{
		Use:          "etcd",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			clientURL, err := url.Parse(client)
			if err != nil {
				return fmt.Errorf("--listen-client-url: %w", err)
			}
			peerURL, err := url.Parse(peer)
			if err != nil {
				return fmt.Errorf("--listen-peer-url: %w", err)
			}
			config := embed.NewConfig()
			config.Dir = directory
			config.UnsafeNoFsync = true
			config.LogLevel = "warn"
			config.LogOutputs = []string{"stderr"}
			config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
			config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peerURL}, []url.URL{*peerURL}
			config.InitialCluster = config.InitialClusterFromName(config.Name)
			// Every watch and event of a cluster lands here; compaction keeps long sandboxes small.
			config.AutoCompactionMode = "periodic"
			config.AutoCompactionRetention = "5m"

			server, err := embed.StartEtcd(config)
			if err != nil {
				return err
			}
			defer server.Close()
			select {
			case <-server.Server.ReadyNotify():
			case <-time.After(30 * time.Second):
				return fmt.Errorf("not ready after 30 s")
			}
			return <-server.Err()
		},
	}
	flags := command.Flags()
	flags.StringVar(&directory, "data-dir", "", "where the data lies")
	flags.StringVar(&client, "listen-client-url", "http://127.0.0.1:2379", "where clients connect")
	flags.StringVar(&peer, "listen-peer-url", "http://127.0.0.1:2380", "where members would connect")
	return command
}
