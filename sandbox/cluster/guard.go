package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/spf13/cobra"
)

// A plain registry makes a repository at the first push; ECR refuses a push to one that nobody has created.
var writes = regexp.MustCompile(`^/v2/(.+)/(blobs/uploads|manifests)/`)

// newRegistryGuard stands before the registry and lets through only what ECR would.
func newRegistryGuard() *cobra.Command {
	var listen, upstream string
	command := &cobra.Command{
		Use:          "registry-guard",
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			target, err := url.Parse(upstream)
			if err != nil {
				return fmt.Errorf("--upstream: %w", err)
			}
			loaded, err := config.LoadDefaultConfig(command.Context())
			if err != nil {
				return err
			}
			guard := &registryGuard{config: loaded, registry: &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
				request.SetURL(target)
				// The registry tells clients where to go on under the name by which they came.
				request.Out.Host = request.In.Host
			}}}
			return http.ListenAndServe(listen, guard)
		},
	}
	command.Flags().StringVar(&listen, "listen", "", "address that clients use")
	command.Flags().StringVar(&upstream, "upstream", "", "URL of the registry")
	return command
}

type registryGuard struct {
	config   aws.Config
	registry http.Handler
}

func (g *registryGuard) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	match := writes.FindStringSubmatch(request.URL.Path)
	reading := request.Method == http.MethodGet || request.Method == http.MethodHead
	// Who brings no credentials is told by the registry which it wants, whatever he asked for.
	if match == nil || reading || request.Header.Get("Authorization") == "" {
		g.registry.ServeHTTP(answer, request)
		return
	}
	status, code, message := g.refusal(request.Context(), match[1])
	if status == 0 {
		g.registry.ServeHTTP(answer, request)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(status)
	_ = json.NewEncoder(answer).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// refusal is zero if ECR has the repository, in whatever region: the sandbox has one registry for all.
func (g *registryGuard) refusal(ctx context.Context, repository string) (status int, code, message string) {
	regions, err := ec2.NewFromConfig(g.config).DescribeRegions(ctx, &ec2.DescribeRegionsInput{})
	if err != nil {
		log.Printf("ec2:DescribeRegions: %v", err)
		return http.StatusServiceUnavailable, "UNAVAILABLE", "cannot ask EC2 for its regions"
	}
	var missing *types.RepositoryNotFoundException
	for _, region := range regions.Regions {
		client := ecr.NewFromConfig(g.config, func(options *ecr.Options) { options.Region = *region.RegionName })
		_, err := client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{repository}})
		if err == nil {
			return 0, "", ""
		}
		if !errors.As(err, &missing) {
			log.Printf("ecr:DescribeRepositories %s in %s: %v", repository, *region.RegionName, err)
			return http.StatusServiceUnavailable, "UNAVAILABLE", "cannot ask ECR for its repositories"
		}
	}
	return http.StatusNotFound, "NAME_UNKNOWN", missing.ErrorMessage()
}
