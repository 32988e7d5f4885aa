"""Lists a .tar.gz with Python's tarfile, in the same shape as main.go."""
import hashlib, json, sys, tarfile

with tarfile.open(sys.argv[1], "r:gz", encoding="utf-8", errors="surrogateescape") as archive:
    for member in archive:
        content = archive.extractfile(member).read() if member.isreg() else b""
        name = member.name.encode("utf-8", "surrogateescape") + (b"/" if member.isdir() else b"")
        print(json.dumps({
            "name": name.hex(),
            "type": member.type.decode(),
            "mode": member.mode,
            "size": member.size,
            "link": member.linkname.encode("utf-8", "surrogateescape").hex(),
            "owner": f"{member.uname}:{member.gname} {member.uid}:{member.gid}",
            "digest": hashlib.sha256(content).hexdigest(),
        }))
