# In a bare Debian 13 with what its restic is built with: restic as one static program, /work/made/restic.
# Which Go packages are linked into it stands in /work/made/packages, with their licences in /work/made/licences.
set -eu
export HOME=/work GOPATH=/work/go:/usr/share/gocode GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0
here=/work/go/src/github.com/restic/restic
mkdir -p "$here" /work/made/licences
cd "$here"
tar -xf /work/restic.tar --strip-components=1
for fix in /work/restic.patches/*; do
    [ ! -e "$fix" ] || patch -p1 -s <"$fix"
done
# Without modules Go would behave like its oldest version.
printf '//go:debug default=go1.23\n\npackage main\n' >cmd/restic/behaviour.go
go build -p 2 -trimpath -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /work/made/restic ./cmd/restic
/work/made/restic version
go list -deps -f '{{if not .Standard}}{{.Dir}}{{end}}' ./cmd/restic | grep '^/usr/share/gocode/' | sort -u |
    xargs -d '\n' dpkg-query -S | sed -n 's/^\([^:, ]*\): .*/\1/p' | sort -u >/work/made/names
dpkg-query -S "$(readlink -f "$(command -v go)")" | sed 's/:.*//' >>/work/made/names
while read -r name; do
    [ -e "/usr/share/doc/$name/copyright" ] || continue
    dpkg-query -W -f '${Package} ${Version}\n' "$name"
    cp "/usr/share/doc/$name/copyright" "/work/made/licences/$name"
done </work/made/names >/work/made/packages
cp LICENSE /work/made/licences/restic
