// Stands in for NVIDIA's device plugin: offers the kubelet the GPUs that the node says it has. The sandbox's container
// runtime mounts one file per GPU into every container, where NVIDIA's runtime would mount its driver.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	gpus     = "/run/nvidia/gpus"
	resource = "nvidia.com/gpu"
	socket   = api.DevicePluginPath + "nvidia-gpu.sock"
)

type plugin struct {
	api.UnimplementedDevicePluginServer
	devices []*api.Device
}

func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

func (p *plugin) ListAndWatch(_ *api.Empty, stream grpc.ServerStreamingServer[api.ListAndWatchResponse]) error {
	if err := stream.Send(&api.ListAndWatchResponse{Devices: p.devices}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	response := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &api.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")},
		})
	}
	return response, nil
}

func find() ([]*api.Device, error) {
	entries, err := os.ReadDir(gpus)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var devices []*api.Device
	for _, entry := range entries {
		devices = append(devices, &api.Device{ID: entry.Name(), Health: api.Healthy})
	}
	return devices, nil
}

func register(ctx context.Context) error {
	kubelet, err := grpc.NewClient("unix://"+api.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer kubelet.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = api.NewRegistrationClient(kubelet).Register(ctx, &api.RegisterRequest{
		Version: api.Version, Endpoint: filepath.Base(socket), ResourceName: resource, Options: &api.DevicePluginOptions{},
	})
	return err
}

// kubeletRestarted waits until our socket is gone: the kubelet empties the folder when it starts.
func kubeletRestarted(ctx context.Context) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
			if _, err := os.Stat(socket); os.IsNotExist(err) {
				return true
			}
		}
	}
}

func serve(ctx context.Context) error {
	devices, err := find()
	if err != nil {
		return err
	}
	if len(devices) == 0 {
		log.Printf("no GPU under %s: nothing to offer", gpus)
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		_ = os.Remove(socket)
		listener, err := net.Listen("unix", socket)
		if err != nil {
			return err
		}
		server := grpc.NewServer()
		api.RegisterDevicePluginServer(server, &plugin{devices: devices})
		go func() { _ = server.Serve(listener) }()
		if err := register(ctx); err != nil {
			return fmt.Errorf("registering %s with the kubelet: %w", resource, err)
		}
		log.Printf("offering %d x %s", len(devices), resource)
		if kubeletRestarted(ctx) {
			log.Printf("the kubelet restarted: registering again")
		}
		server.Stop()
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		log.Fatalf("device plugin: %v", err)
	}
}
