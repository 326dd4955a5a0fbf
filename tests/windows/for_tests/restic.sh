# In a bare Debian 13 with what its restic is built with: restic for 64-bit Windows, /work/made/restic.exe, for tests.
# Debian has not all modules that only Windows needs. golang.org/x/sys/windows is the one that Go itself comes with;
# go-winio is replaced by winio.go; VSS, which wine has not, answers as restic does on systems without it.
set -eu
export HOME=/work GOPATH=/work/go:/usr/share/gocode GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0
export GOOS=windows GOARCH=amd64
here=/work/go/src/github.com/restic/restic
mkdir -p "$here" /work/made /work/go/src/golang.org/x/sys /work/go/src/github.com/Microsoft/go-winio
cp -r "$(go env GOROOT)/src/cmd/vendor/golang.org/x/sys/windows" /work/go/src/golang.org/x/sys/
cp /work/winio.go /work/go/src/github.com/Microsoft/go-winio/
cd "$here"
tar -xf /work/restic.tar --strip-components=1
for fix in /work/restic.patches/*; do
    [ ! -e "$fix" ] || patch -p1 -s <"$fix"
done
rm internal/fs/vss_windows.go
sed -i -e '/^\/\/go:build !windows$/d' -e '/^\/\/ +build !windows$/d' internal/fs/vss.go
printf '//go:debug default=go1.23\n\npackage main\n' >cmd/restic/behaviour.go
go build -p 2 -trimpath -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /work/made/restic.exe ./cmd/restic
