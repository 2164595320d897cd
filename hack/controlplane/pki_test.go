package controlplane

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func mustPKI(t *testing.T, dir string, now time.Time) *pki {
	t.Helper()
	p, err := loadPKI(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCertificatesAreKeptUntilTheyRunOut(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	first := mustPKI(t, dir, now)
	if again := mustPKI(t, dir, now.Add(365*24*time.Hour)); !again.serving.cert.Equal(first.serving.cert) || !again.ca.cert.Equal(first.ca.cert) {
		t.Error("good certificates were replaced")
	}
	late := now.Add(validity - renewBefore + time.Hour)
	renewed := mustPKI(t, dir, late)
	if renewed.ca.cert.Equal(first.ca.cert) {
		t.Error("an authority about to run out was kept")
	}
	roots := x509.NewCertPool()
	roots.AddCert(renewed.ca.cert)
	if _, err := renewed.serving.cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: late, DNSName: "127.0.0.1"}); err != nil {
		t.Errorf("the renewed certificate does not hold under the renewed authority: %v", err)
	}
}

func TestDamagedFileIsReplaced(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"ca.crt", "ca.key", "apiserver.crt", "admin.key", "service-account.key"} {
		dir := t.TempDir()
		mustPKI(t, dir, now)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
		p := mustPKI(t, dir, now)
		if err := p.admin.cert.CheckSignatureFrom(p.ca.cert); err != nil {
			t.Errorf("%s damaged: the administrator's certificate does not hold: %v", name, err)
		}
		if _, err := readKey(p.serviceAccountKey); err != nil {
			t.Errorf("%s damaged: %v", name, err)
		}
	}
}

func TestAdministratorCannotReachEtcd(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	p := mustPKI(t, t.TempDir(), now)
	roots := x509.NewCertPool()
	roots.AddCert(p.etcdCA.cert)
	verify := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := p.admin.cert.Verify(verify); err == nil {
		t.Error("etcd would take the administrator's certificate")
	}
	if _, err := p.etcdClient.cert.Verify(verify); err != nil {
		t.Errorf("etcd would refuse the API server: %v", err)
	}
}
