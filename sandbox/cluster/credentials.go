package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	credentials "k8s.io/kubelet/pkg/apis/credentialprovider/v1"
)

// newCredentialProvider is the kubelet's image credential plugin: it asks ECR for a token with the node's own
// credentials, as the node of a real cluster does. AWS's plugin takes no registry whose name is not ECR's.
func newCredentialProvider() *cobra.Command {
	return &cobra.Command{
		Use:          "ecr-credential-provider",
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			var request credentials.CredentialProviderRequest
			if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
				return fmt.Errorf("the kubelet's request: %w", err)
			}
			registry, _, _ := strings.Cut(request.Image, "/")
			login, err := ecrLogin(command.Context())
			if err != nil {
				return fmt.Errorf("ecr:GetAuthorizationToken: %w", err)
			}
			return json.NewEncoder(os.Stdout).Encode(credentials.CredentialProviderResponse{
				TypeMeta:      metav1.TypeMeta{APIVersion: credentials.SchemeGroupVersion.String(), Kind: "CredentialProviderResponse"},
				CacheKeyType:  credentials.RegistryPluginCacheKeyType,
				CacheDuration: &metav1.Duration{Duration: time.Hour},
				Auth:          map[string]credentials.AuthConfig{registry: login},
			})
		},
	}
}

func ecrLogin(ctx context.Context) (credentials.AuthConfig, error) {
	var login credentials.AuthConfig
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return login, err
	}
	answer, err := ecr.NewFromConfig(loaded).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return login, err
	}
	if len(answer.AuthorizationData) == 0 || answer.AuthorizationData[0].AuthorizationToken == nil {
		return login, fmt.Errorf("no token in the answer")
	}
	token, err := base64.StdEncoding.DecodeString(*answer.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		return login, fmt.Errorf("the token is not base64: %w", err)
	}
	user, password, found := strings.Cut(string(token), ":")
	if !found {
		return login, fmt.Errorf("the token is not USER:PASSWORD")
	}
	login.Username, login.Password = user, password
	return login, nil
}
