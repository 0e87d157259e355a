// One binary for every Kubernetes program that the sandbox runs: `cluster kube-apiserver --flag ...`.
// They are the real programs, unchanged but for the kubelet's view of its machine (kubelet.go).
package main

import (
	"context"
	"fmt"
	"os"
	"sort"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var programs = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return newKubelet(context.Background()) },
	"kubectl":                 func() *cobra.Command { return kubectl.NewDefaultKubectlCommand() },
	"etcd":                    newEtcd,
	"cloud-controller":        newCloudController,
	"ecr-credential-provider": newCredentialProvider,
	"htpasswd":                newHtpasswd,
	"registry-guard":          newRegistryGuard,
}

func main() {
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		names := make([]string, 0, len(programs))
		for name := range programs {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "usage: %s PROGRAM [ARGUMENT ...]\nprograms: %v\n", os.Args[0], names)
		os.Exit(2)
	}
	program := os.Args[1]
	// Each program reads os.Args by itself, as if it were alone.
	os.Args = append([]string{program}, os.Args[2:]...)
	os.Exit(cli.Run(programs[program]()))
}
