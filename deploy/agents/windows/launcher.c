/* strongroom-agent.exe: the interpreter in the folder `python` beside it runs the module MODULE.
 *
 * One process, so that signals, exit status and the console are the agent's own. Nothing of the caller's surroundings
 * counts: no PYTHON… variables and no module of the current folder (-I), no library but from our folder. -B: all that
 * is shipped is compiled, so nothing is written into the installation folder, and removing it leaves nothing.
 */
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define LONGEST 32768 /* characters of a path, with the end */

static const wchar_t *const ARGUMENTS[] = {L"-I", L"-B", L"-X", L"utf8", L"-m", MODULE};
enum { OURS = sizeof ARGUMENTS / sizeof *ARGUMENTS };

typedef int (*Main)(int, wchar_t **);

static int fail(const wchar_t *what, const wchar_t *path)
{
    fwprintf(stderr, L"strongroom-agent: %ls %ls (error %lu). Install the agent again.\n", what, path, GetLastError());
    return 1;
}

int wmain(int count, wchar_t **given)
{
    static wchar_t path[LONGEST];
    DWORD length = GetModuleFileNameW(NULL, path, LONGEST);
    if (length == 0 || length == LONGEST)
        return fail(L"its own path is unknown:", L"");
    wchar_t *name = wcsrchr(path, L'\\') + 1;
    if (name - path + wcslen(LIBRARY) >= LONGEST)
        return fail(L"its path is too long:", path);
    wcscpy(name, LIBRARY);

    SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
    HMODULE library = LoadLibraryExW(path, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (library == NULL)
        return fail(L"the interpreter cannot be loaded:", path);
    Main run = (Main)(void *)GetProcAddress(library, "Py_Main");
    if (run == NULL)
        return fail(L"this is no interpreter:", path);

    wchar_t **all = calloc(OURS + count + 1, sizeof *all);
    if (all == NULL)
        return fail(L"there is no memory for", path);
    all[0] = given[0];
    for (int number = 0; number < OURS; number++)
        all[1 + number] = (wchar_t *)ARGUMENTS[number];
    for (int number = 1; number < count; number++)
        all[OURS + number] = given[number];
    return run(OURS + count, all);
}
