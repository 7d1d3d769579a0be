// What Go programs do with keys of the token: usage: crypto11 MODULE TOKEN
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ThalesIgnite/crypto11"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	context, err := crypto11.Configure(&crypto11.Config{Path: os.Args[1], TokenLabel: os.Args[2], LoginNotSupported: true})
	must(err)
	_, err = context.GenerateRSAKeyPairWithLabel([]byte{1}, []byte("rsa"), 2048)
	must(err)
	_, err = context.GenerateECDSAKeyPairWithLabel([]byte{2}, []byte("ec"), elliptic.P256())
	must(err)
	for _, label := range []string{"rsa", "ec"} {
		key, err := context.FindKeyPair(nil, []byte(label))
		must(err)
		crowd(key)
		serve(key)
	}
	decrypt(context)
	seal(context)
	must(context.Close())
}

// 32 goroutines sign at once.
func crowd(key crypto11.Signer) {
	var all sync.WaitGroup
	for i := 0; i < 32; i++ {
		all.Add(1)
		go func(message string) {
			defer all.Done()
			digest := sha256.Sum256([]byte(message))
			signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
			must(err)
			switch public := key.Public().(type) {
			case *rsa.PublicKey:
				must(rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature))
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(public, digest[:], signature) {
					panic("a signature that does not verify")
				}
			}
		}(fmt.Sprint(i))
	}
	all.Wait()
}

// The key certifies itself and is a TLS server's.
func serve(key crypto11.Signer) {
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "go"}, DNSNames: []string{"go.example"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	must(err)
	certificate, err := x509.ParseCertificate(der)
	must(err)
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: version, MaxVersion: version,
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		must(err)
		go func() {
			client, err := listener.Accept()
			must(err)
			_, err = client.Write([]byte("hello"))
			must(err)
			must(client.Close())
		}()
		server, err := net.Dial("tcp", listener.Addr().String())
		must(err)
		said, err := io.ReadAll(tls.Client(server, &tls.Config{ServerName: "go.example", RootCAs: roots}))
		must(err)
		if string(said) != "hello" {
			panic(said)
		}
		must(listener.Close())
	}
}

func decrypt(context *crypto11.Context) {
	key, err := context.FindKeyPair([]byte{1}, nil)
	must(err)
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, key.Public().(*rsa.PublicKey), []byte("hello"), nil)
	must(err)
	opened, err := key.(crypto.Decrypter).Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256})
	must(err)
	if string(opened) != "hello" {
		panic(opened)
	}
}

func seal(context *crypto11.Context) {
	key, err := context.GenerateSecretKeyWithLabel([]byte{3}, []byte("aes"), 256, crypto11.CipherAES)
	must(err)
	gcm, err := key.NewGCM()
	must(err)
	nonce := make([]byte, gcm.NonceSize())
	sealed := gcm.Seal(nil, nonce, []byte("hello"), []byte("more"))
	opened, err := gcm.Open(nil, nonce, sealed, []byte("more"))
	must(err)
	if string(opened) != "hello" {
		panic(opened)
	}
	sealed[0] ^= 1
	if _, err = gcm.Open(nil, nonce, sealed, []byte("more")); err == nil {
		panic("what was changed is opened")
	}
}
