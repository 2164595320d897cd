package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// validity is long: the directory is a developer's, and outlives his holidays.
	validity = 10 * 365 * 24 * time.Hour
	// renewBefore is when a certificate counts as used up.
	renewBefore = 30 * 24 * time.Hour
)

// keyPair is a certificate with its key, as the files that programs read.
type keyPair struct {
	certFile, keyFile string
	cert              *x509.Certificate
	key               *ecdsa.PrivateKey
}

// pki is what the control plane proves itself with. etcd has an authority of its own, so that no client of the API server can talk to it.
type pki struct {
	ca, etcdCA       *keyPair
	serving, admin   *keyPair
	etcd, etcdClient *keyPair
	// serviceAccountKey signs and verifies tokens.
	serviceAccountKey string
}

// loadPKI reads the certificates in dir and makes those that are missing, used up or not signed by the present authority.
func loadPKI(dir string, now time.Time) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the certificate directory: %w", err)
	}
	m := &maker{dir: dir, now: now}
	p := &pki{}
	p.ca = m.authority("ca", "draas-dev-ca")
	p.serving = m.leaf("apiserver", p.ca, pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth)
	p.admin = m.leaf("admin", p.ca, pkix.Name{CommonName: "draas-dev-admin", Organization: []string{"system:masters"}}, x509.ExtKeyUsageClientAuth)
	p.etcdCA = m.authority("etcd-ca", "draas-dev-etcd-ca")
	p.etcd = m.leaf("etcd", p.etcdCA, pkix.Name{CommonName: "etcd"}, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	p.etcdClient = m.leaf("etcd-client", p.etcdCA, pkix.Name{CommonName: "kube-apiserver-etcd-client"}, x509.ExtKeyUsageClientAuth)
	p.serviceAccountKey = m.key("service-account")
	return p, m.err
}

// maker keeps the first error, so that the list above reads as a list.
type maker struct {
	dir string
	now time.Time
	err error
}

func (m *maker) authority(name, commonName string) *keyPair {
	return m.pair(name, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: commonName}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	})
}

func (m *maker) leaf(name string, ca *keyPair, subject pkix.Name, usages ...x509.ExtKeyUsage) *keyPair {
	return m.pair(name, ca, &x509.Certificate{
		Subject: subject, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usages,
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	})
}

// pair loads a certificate or makes it; without an authority it signs itself.
func (m *maker) pair(name string, ca *keyPair, template *x509.Certificate) *keyPair {
	if m.err != nil {
		return nil
	}
	p := &keyPair{certFile: filepath.Join(m.dir, name+".crt"), keyFile: filepath.Join(m.dir, name+".key")}
	if err := p.load(); err == nil && p.usable(ca, m.now) {
		return p
	}
	if err := p.generate(ca, template, m.now); err != nil {
		m.err = fmt.Errorf("make certificate %s: %w", name, err)
	}
	return p
}

// key loads or makes a private key alone.
func (m *maker) key(name string) string {
	file := filepath.Join(m.dir, name+".key")
	if m.err != nil {
		return file
	}
	if _, err := readKey(file); err == nil {
		return file
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err == nil {
		err = writeKey(file, key)
	}
	if err != nil {
		m.err = fmt.Errorf("make key %s: %w", name, err)
	}
	return file
}

func (p *keyPair) load() error {
	text, err := os.ReadFile(p.certFile)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("no PEM block in " + p.certFile)
	}
	if p.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		return err
	}
	p.key, err = readKey(p.keyFile)
	return err
}

func (p *keyPair) usable(ca *keyPair, now time.Time) bool {
	if now.Before(p.cert.NotBefore) || now.Add(renewBefore).After(p.cert.NotAfter) || !p.key.PublicKey.Equal(p.cert.PublicKey) {
		return false
	}
	return ca == nil || p.cert.CheckSignatureFrom(ca.cert) == nil
}

func (p *keyPair) generate(ca *keyPair, template *x509.Certificate, now time.Time) (err error) {
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return err
	}
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(validity)
	parent, signer := template, p.key
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, p.key.Public(), signer)
	if err != nil {
		return err
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	if err := writeKey(p.keyFile, p.key); err != nil {
		return err
	}
	return os.WriteFile(p.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block in " + file)
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
