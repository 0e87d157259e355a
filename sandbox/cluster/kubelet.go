package main

import (
	"context"
	"fmt"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/cadvisor"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/configfiles"
	"k8s.io/kubernetes/pkg/util/filesystem"
)

// newKubelet is the kubelet with one difference: it reports the size of the instance type that it stands for, not that
// of the machine that the sandbox runs on. Kubernetes' own command has no place to put that in.
func newKubelet(ctx context.Context) *cobra.Command {
	flags := options.NewKubeletFlags()
	var size instanceSize
	command := &cobra.Command{
		Use:          "kubelet",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			if err := options.ValidateKubeletFlags(flags); err != nil {
				return err
			}
			config, err := loadKubeletConfig(ctx, flags.KubeletConfigFile)
			if err != nil {
				return fmt.Errorf("--config %s: %w", flags.KubeletConfigFile, err)
			}
			logs.InitLogs()
			server := &options.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *config}
			dependencies, err := app.UnsecuredDependencies(ctx, server, feature.DefaultFeatureGate)
			if err != nil {
				return err
			}
			machine, err := newCadvisor(server)
			if err != nil {
				return fmt.Errorf("cadvisor: %w", err)
			}
			dependencies.CAdvisorInterface = sizedMachine{machine, size}
			return app.Run(genericapiserver.SetupSignalContext(), server, dependencies, feature.DefaultFeatureGate)
		},
	}
	flags.AddFlags(command.Flags())
	command.Flags().IntVar(&size.cores, "machine-cores", 0, "vCPUs that the node reports")
	command.Flags().Uint64Var(&size.memoryMiB, "machine-memory-mib", 0, "memory that the node reports")
	return command
}

func loadKubeletConfig(ctx context.Context, file string) (*kubeletconfig.KubeletConfiguration, error) {
	loader, err := configfiles.NewFsLoader(&filesystem.DefaultFs{}, file)
	if err != nil {
		return nil, err
	}
	config, err := loader.Load(ctx)
	if err != nil {
		return nil, err
	}
	gates := feature.DefaultMutableFeatureGate
	if err := gates.SetFromMap(config.FeatureGates); err != nil {
		return nil, err
	}
	return config, logsapi.ValidateAndApplyAsField(&config.Logging, gates, field.NewPath("logging"))
}

// newCadvisor makes what the kubelet would make by itself.
func newCadvisor(server *options.KubeletServer) (cadvisor.Interface, error) {
	roots := []string{cm.NodeAllocatableRoot(server.CgroupRoot, server.CgroupsPerQOS, server.CgroupDriver)}
	images := cadvisor.NewImageFsInfoProvider(server.ContainerRuntimeEndpoint)
	legacy := cadvisor.UsingLegacyCadvisorStats(server.ContainerRuntimeEndpoint)
	return cadvisor.New(images, server.RootDirectory, roots, legacy, server.LocalStorageCapacityIsolation)
}

type instanceSize struct {
	cores     int
	memoryMiB uint64
}

type sizedMachine struct {
	cadvisor.Interface
	size instanceSize
}

func (m sizedMachine) MachineInfo() (*cadvisorapi.MachineInfo, error) {
	real, err := m.Interface.MachineInfo()
	if err != nil {
		return nil, err
	}
	info := *real
	if m.size.cores > 0 {
		info.NumCores = m.size.cores
	}
	if m.size.memoryMiB > 0 {
		info.MemoryCapacity = m.size.memoryMiB << 20
	}
	return &info, nil
}
