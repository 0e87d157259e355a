package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
)

// newHtpasswd prints a line for the registry's password file, which wants bcrypt.
func newHtpasswd() *cobra.Command {
	return &cobra.Command{
		Use:  "htpasswd USER PASSWORD",
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			// The password is random and lives as long as the sandbox: no need for a slow hash at every request.
			hash, err := bcrypt.GenerateFromPassword([]byte(args[1]), bcrypt.MinCost)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(os.Stdout, "%s:%s\n", args[0], hash)
			return err
		},
	}
}
