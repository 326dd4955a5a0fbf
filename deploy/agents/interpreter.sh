# In a bare Debian 11: OpenSSL and CPython under $PREFIX, with zlib and libffi (Debian's) inside of it. Sources lie in /work, with
# the patches in /work/NAME.patches. $PREFIX is where nobody looks for anything later: all is found beside the program.
set -eu
cd /work
static=/work/static
for name in python openssl zlib; do
    mkdir -p "$name"
    tar -xf "$name.tar" -C "$name" --strip-components=1
    for fix in "$name.patches"/*; do
        [ ! -e "$fix" ] || patch -d "$name" -p1 -s <"$fix"
    done
done

cd /work/zlib
CFLAGS='-O2 -fPIC' ./configure --static --prefix="$static"
make -j2 install

# No settings of the system's own OpenSSL, which may name what this one does not have.
cd /work/openssl
./Configure --prefix="$PREFIX" --libdir=lib --openssldir="$PREFIX/no-settings" \
    no-tests no-docs no-apps no-legacy no-module no-engine no-zlib shared
make -j2 build_libs
make install_dev

cd /work/python
export LD_LIBRARY_PATH="$PREFIX/lib"
unwanted=
for module in _dbm _gdbm _curses _curses_panel _sqlite3 readline _tkinter _uuid _bz2 _lzma; do
    unwanted="$unwanted py_cv_module_$module=n/a"
done
# shellcheck disable=SC2086
./configure --prefix="$PREFIX" --disable-test-modules --without-ensurepip --disable-shared --with-openssl="$PREFIX" \
    --with-openssl-rpath=no CPPFLAGS="-I$static/include" LDFLAGS="-L$static/lib" LIBFFI_CFLAGS=" " \
    LIBFFI_LIBS="$(gcc -print-file-name=libffi_pic.a)" ZLIB_CFLAGS="-I$static/include" ZLIB_LIBS="-L$static/lib -lz" $unwanted
make -j2
make install
"$PREFIX/bin/python3.13" -c 'import ctypes, hashlib, ssl, zlib, _hashlib, _ssl'

cd "$PREFIX"
rm -rf include share lib/pkgconfig lib/cmake lib/*.a lib/python3.13/config-3.13*
find . -name __pycache__ -prune -exec rm -rf {} +
find bin -mindepth 1 ! -name python3.13 -delete
find . -type f \( -name '*.so' -o -name '*.so.*' -o -name python3.13 \) -exec strip --strip-unneeded {} +
find lib/python3.13/lib-dynload -name '*.so' -exec patchelf --set-rpath '$ORIGIN/../..' {} \;
patchelf --set-rpath '$ORIGIN' lib/libssl.so.3

mkdir -p /work/made/licences
cp -a "$PREFIX" /work/made/python
dpkg-query -W -f '${Package} ${Version}\n' libffi-dev >/work/made/packages
cp /usr/share/doc/libffi-dev/copyright /work/made/licences/libffi
