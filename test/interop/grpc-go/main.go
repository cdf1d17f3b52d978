// A stock gRPC-Go client: calls one method of a target several times and prints what came of it, one JSON object a line. With -serve it
// is a server that answers any method with one text, and prints "serving" when xDS lets it.
//
//	GRPC_XDS_BOOTSTRAP=bootstrap.json client -target xds:///echo.default.svc.cluster.local:7070 -method /test.Echo/Say -calls 100
//	GRPC_XDS_BOOTSTRAP=bootstrap.json client -serve 127.0.0.1:7070 -reply v1
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds" // the xds:/// resolver, too
)

type outcome struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
	Reply   string `json:"reply,omitempty"`
}

// bytesCodec passes messages as they are: the test's server decides what they mean.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte(nil), data...); return nil }
func (bytesCodec) Name() string                       { return "proto" }

func main() {
	target := flag.String("target", "", "what to dial")
	method := flag.String("method", "", "full method name")
	calls := flag.Int("calls", 1, "how many calls, one after another")
	timeout := flag.Duration("timeout", 10*time.Second, "of each call")
	headers := flag.String("headers", "", "name=value,name=value")
	address := flag.String("serve", "", "where to serve, instead of calling")
	reply := flag.String("reply", "", "what the server answers")
	flag.Parse()
	if *address != "" {
		fail(serve(*address, *reply))
	}

	credentials, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	fail(err)
	connection, err := grpc.NewClient(*target, grpc.WithTransportCredentials(credentials))
	fail(err)
	defer connection.Close()
	output := json.NewEncoder(os.Stdout)
	for range *calls {
		if err := output.Encode(call(connection, *method, *headers, *timeout)); err != nil {
			os.Exit(1)
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, reply string) error {
	credentials, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server, err := xds.NewGRPCServer(
		grpc.Creds(credentials),
		grpc.ForceServerCodec(bytesCodec{}),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			request, answer := []byte{}, []byte(reply)
			if err := stream.RecvMsg(&request); err != nil {
				return err
			}
			return stream.SendMsg(&answer)
		}),
		xds.ServingModeCallback(func(_ net.Addr, args xds.ServingModeChangeArgs) {
			if args.Mode == connectivity.ServingModeServing {
				fmt.Println("serving")
			} else if args.Err != nil {
				fmt.Fprintln(os.Stderr, args.Err)
			}
		}),
	)
	if err != nil {
		return err
	}
	return server.Serve(listener)
}

func call(connection *grpc.ClientConn, method, headers string, timeout time.Duration) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, pair := range strings.Split(headers, ",") {
		if name, value, found := strings.Cut(pair, "="); found {
			ctx = metadata.AppendToOutgoingContext(ctx, name, value)
		}
	}
	request, reply := []byte{}, []byte{}
	err := connection.Invoke(ctx, method, &request, &reply, grpc.ForceCodec(bytesCodec{}), grpc.WaitForReady(true))
	return outcome{Code: int(status.Code(err)), Message: status.Convert(err).Message(), Reply: string(reply)}
}
