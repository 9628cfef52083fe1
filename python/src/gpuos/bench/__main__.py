"""`python -m gpuos.bench`: see `options`."""

import os
import pathlib
import signal
import sys

from gpuos.bench import document, java, machine, options, suite, tables, text


def main(arguments):
    parser = options.parser()
    given = parser.parse_args(arguments)
    chosen = _chosen(parser, given.only)
    on = options.device(parser, given.device)
    settings = options.settings(parser, given, on)
    if given.list:
        for table in chosen:
            print(f"{table.name}: {'; '.join(name for name, _ in table.rows(settings))}")
        return 0
    for path in (given.html, given.json):
        _require_writable(parser, path)
    environment = machine.environment(on, arguments)
    path = None if given.json == "-" else given.json
    resumed = None if given.restart else _resumed(path, settings, environment["commit"])
    run = suite.Suite(settings, environment, path, _progress(given.quiet))
    if given.java:
        try:
            run.document["java"] = java.read(given.java)
        except (OSError, ValueError) as error:
            parser.error(f"not a document of Java columns: file={given.java}, reason={error}")
    elif given.no_java:
        run.document["java"] = {"reason": "left out by --no-java", "tables": []}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    made = run.run(chosen, resumed)
    return _show(made, given)


def _chosen(parser, names):
    known = tables.all_tables()
    for name in names or ():
        if name not in [table.name for table in known]:
            expected = ", ".join(table.name for table in known)
            parser.error(f"unknown table: only={name}, expected=one of {expected}")
    return [table for table in known if not names or table.name in names]


def _require_writable(parser, path):
    if path in (None, "-"):
        return
    target = pathlib.Path(path)
    if target.is_dir() or not os.access(target.parent, os.W_OK):
        parser.error(f"cannot write: file={path}, expected=a file in a directory that takes it")


def _resumed(path, settings, commit):
    if path is None or not pathlib.Path(path).exists():
        return None
    try:
        old = document.load(path)
    except ValueError:
        return None
    return None if options.resumable(old, settings, commit) else old


def _progress(quiet):
    terminal = sys.stderr.isatty()

    def show(line, detail=False):
        """Details only where a line can be rewritten."""
        if quiet or (detail and not terminal):
            return
        if terminal:
            sys.stderr.write(f"\r\x1b[Kgpuos bench: {line}")
        else:
            sys.stderr.write(f"gpuos bench: {line}\n")
        sys.stderr.flush()

    return show


def _show(made, given):
    if sys.stderr.isatty() and not given.quiet:
        sys.stderr.write("\r\x1b[K")
    if given.html:
        from gpuos.bench import page

        document.write(given.html, page.render(made))
    if given.json == "-":
        sys.stdout.write(document.encode(made))
    else:
        environment = made["environment"]
        print(f"device: {environment['device']} ({environment['device_description']})")
        for table in made["tables"]:
            if table["rows"]:
                print(f"\n{text.table_text(table, made)}")
    if made["interrupted"]:
        kept = f"; what was done is in {given.json}" if given.json not in (None, "-") else ""
        print(f"gpuos bench: interrupted: {made['interrupted']}{kept}", file=sys.stderr)
        if made["interrupted"] == "Ctrl-C":
            return 130
    statuses = {cell["status"] for *_, cell in document.cells_of(made)}
    return 1 if statuses & {"wrong", "failed"} else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
