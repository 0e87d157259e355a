"""Images that mean harm: small files that say, or hold, far more than they look. `bombs.py FOLDER` writes them, each once.

Names that begin with "cap" have just about the 89,478,485 pixels that are allowed, as costly to hold as their format can;
the rest say more in their headers.
"""

import pathlib
import struct
import sys
import zlib

from PIL import Image

SIDE = 9459
HUGE = 65500


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side, bits, colour, data):
    header = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(count):
    """So many of them deflated, without ever having them."""
    squeeze, block = zlib.compressobj(9), bytes(1 << 20)
    data = b"".join(squeeze.compress(block) for _ in range(count >> 20))
    return data + squeeze.compress(bytes(count % (1 << 20))) + squeeze.flush()


def segment(mark, data):
    return bytes([0xFF, mark]) + struct.pack(">H", len(data) + 2) + data


def jpeg_header():
    frame = struct.pack(">BHHB", 8, HUGE, HUGE, 3) + b"\x01\x22\0\x02\x11\0\x03\x11\0"
    table = segment(0xDB, bytes(1) + bytes([1] * 64))
    codes = segment(0xC4, b"\0" + bytes([1]) + bytes(15) + b"\0") + segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + b"\0")
    scan = segment(0xDA, b"\x03\x01\0\x02\0\x03\0\0\x3f\0")
    return b"\xff\xd8" + table + segment(0xC0, frame) + codes + scan + bytes(64) + b"\xff\xd9"


def webp_header():
    # VP8X: the canvas less one, in 24 bits each.
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16383).to_bytes(3, "little") * 2
    body += b"VP8L" + struct.pack("<I", 6) + b"\x2f" + struct.pack("<I", 16383 | 16383 << 14) + b"\0"
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif_header():
    return b"GIF89a" + struct.pack("<HHBBB", HUGE, HUGE, 0x80, 0, 0) + bytes(6) + b"\x2c" + struct.pack("<HHHHB", 0, 0, HUGE, HUGE, 0) + b"\2\1\x44\0;"


def bmp_header():
    return b"BM" + struct.pack("<IHHI", 200, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, HUGE, HUGE, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(146)


def main(folder):
    def write(name, make):
        path = folder / name
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            make(unfinished)
            unfinished.rename(path)

    headers = {
        "huge.png": png(100_000, 8, 6, zeros(1000)), "huge.jpg": jpeg_header(), "huge.webp": webp_header(),
        "huge.gif": gif_header(), "huge.bmp": bmp_header(),
    }
    for name, data in headers.items():
        write(name, lambda path: path.write_bytes(data))
    # 8 bytes a pixel and one a row.
    write("cap-rgba16.png", lambda path: path.write_bytes(png(SIDE, 16, 6, zeros(SIDE * (8 * SIDE + 1)))))
    write("cap-rgb.png", lambda path: path.write_bytes(png(SIDE, 8, 2, zeros(SIDE * (3 * SIDE + 1)))))
    size = (SIDE, SIDE)
    # The decoder holds two bytes of each of four channels until the last scan.
    write("cap-cmyk.jpg", lambda path: Image.new("CMYK", size).save(path, "JPEG", progressive=True, quality=20))
    write("cap.gif", lambda path: Image.new("L", size).save(path, "GIF"))
    write("cap.webp", lambda path: Image.new("RGBA", size).save(path, "WEBP", lossless=True, quality=0, method=0))


Image.MAX_IMAGE_PIXELS = None
main(pathlib.Path(sys.argv[1]))
