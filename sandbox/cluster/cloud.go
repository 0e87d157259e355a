package main

import (
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	cloudprovider "k8s.io/cloud-provider"
	aws "k8s.io/cloud-provider-aws/pkg/providers/v1"
	"k8s.io/cloud-provider/app"
	"k8s.io/cloud-provider/app/config"
	"k8s.io/cloud-provider/names"
	"k8s.io/cloud-provider/options"
	"k8s.io/component-base/cli/flag"
	"k8s.io/klog/v2"
)

// newCloudController is AWS's cloud controller manager, what EKS runs beside each API server: it initialises nodes
// and makes a balancer for each Service of type LoadBalancer.
func newCloudController() *cobra.Command {
	opts, err := options.NewCloudControllerManagerOptions()
	if err != nil {
		klog.Fatalf("cloud-controller: %v", err)
	}
	return app.NewCloudControllerManagerCommand(opts, awsCloud, app.DefaultInitFuncConstructors,
		names.CCMControllerAliases(), flag.NamedFlagSets{}, wait.NeverStop)
}

func awsCloud(completed *config.CompletedConfig) cloudprovider.Interface {
	file := completed.ComponentConfig.KubeCloudShared.CloudProvider.CloudConfigFile
	cloud, err := cloudprovider.InitCloudProvider(aws.ProviderName, file)
	if err != nil {
		klog.Fatalf("cloud-controller: cannot set up the AWS provider from %s: %v", file, err)
	}
	return cloud
}
