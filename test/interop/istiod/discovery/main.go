// The discovery command of istiod, as Istio ships it: certificate authority, ADS, validation.
package main

import (
	"os"

	"istio.io/istio/pilot/cmd/pilot-discovery/app"
)

func main() {
	if app.NewRootCommand().Execute() != nil {
		os.Exit(1)
	}
}
