"""Makes images, and what pillow 11.0.0 makes of them, into the folder named on the command line: of the kinds named
after it (KINDS), or of every kind."""

import random
import struct
import sys
import zlib

from formats import bmps, gifs, webps
from pictures import OUT, SIZES, expect, noise, picture, quantized, saved, turned


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(row, bits):
    """Samples as a scanline has them."""
    if bits == 8:
        return bytes(row)
    if bits == 16:
        return struct.pack(f">{len(row)}H", *row)
    text = "".join(format(v, f"0{bits}b") for v in row)
    return int(text.ljust((len(text) + 7) // 8 * 8, "0") or "0", 2).to_bytes((len(text) + 7) // 8, "big")


def minus(row, above):
    """Each byte's difference modulo 256; no bit is borrowed across bytes, as the highest is worked out apart."""
    highest = int.from_bytes(b"\x80" * len(row), "big")
    a, b = int.from_bytes(row, "big"), int.from_bytes(above, "big")
    return (((a | highest) - (b & ~highest)) ^ (~(a ^ b) & highest)).to_bytes(len(row), "big")


def scanlines(pixels, bits, filters):
    """Rows of packed pixels (each a list of samples), each after its filter; only filters that need no arithmetic
    on the left neighbour are simulated here: 0, and 2 (up)."""
    out, above = b"", None
    for y, samples in enumerate(pixels):
        row = packed(samples, bits)
        if filters and y % 2 and above is not None:
            out += b"\2" + minus(row, above)
        else:
            out += b"\0" + row
        above = row
    return out


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(size, bits, colour, seed=0, interlace=False, extra=b"", filters=True, top=None):
    """A PNG that Pillow itself would not write."""
    width, height = size
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rng = random.Random(f"{size}{bits}{colour}{seed}")
    limit = top or (1 << bits)
    line = width * samples
    rows = []
    for y in range(height):
        # 16 bits of noise for a sample: a call of the generator for each would take most of this test's time.
        grain = memoryview(rng.randbytes(2 * line)).cast("H")
        rows.append([grain[i] % limit if (y + i // 5) % 3 else (i * 37 + y * 11) % limit for i in range(line)])
    if interlace:
        raw = b""
        for left, first, step, down in PASSES:
            part = [[v for x in range(left, width, step) for v in row[x * samples:(x + 1) * samples]] for row in rows[first::down]]
            if part and part[0]:
                raw += scanlines(part, bits, filters)
    else:
        raw = scanlines(rows, bits, filters)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlace))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def jpegs():
    for size in SIZES + [(1280, 960)]:
        label = f"{size[0]}x{size[1]}"
        for mode in ("L", "RGB", "CMYK"):
            expect(f"jpeg-{mode.lower()}-{label}.jpg", saved(picture(mode, size), "JPEG", quality=90))
    for sampling in range(3):
        for progressive in (False, True):
            image = picture("RGB", (333, 251), seed=sampling)
            name = f"jpeg-sampling{sampling}{'-progressive' if progressive else ''}.jpg"
            expect(name, saved(image, "JPEG", quality=75, subsampling=sampling, progressive=progressive))
    image = picture("RGB", (500, 301))
    for way in range(10):
        expect(f"jpeg-turned-{way}.jpg", saved(image, "JPEG", exif=turned(way), icc_profile=noise("icc", 3000)))
        for mode in ("1", "L", "P", "LA", "RGBA"):
            expect(f"png-turned-{mode.lower()}-{way}.png", saved(picture("RGB", (61, 47)).convert(mode), "PNG", exif=turned(way)))
    expect("jpeg-low.jpg", saved(image, "JPEG", quality=5))
    expect("jpeg-best.jpg", saved(image, "JPEG", quality=100, subsampling=0, optimize=True))
    expect("jpeg-restarts.jpg", saved(image, "JPEG", restart_marker_blocks=3))
    expect("jpeg-called.png", saved(image, "JPEG"))
    cmyk = saved(picture("CMYK", (301, 207)), "JPEG", quality=90)
    expect("jpeg-ycck.jpg", cmyk.replace(b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\2"))
    rgb = saved(picture("RGB", (301, 207)), "JPEG", quality=90, keep_rgb=True)
    expect("jpeg-rgb-inside.jpg", rgb)


def pngs():
    for size in SIZES + [(1280, 960)]:
        label = f"{size[0]}x{size[1]}"
        for mode in ("L", "RGB", "RGBA", "LA"):
            expect(f"png-{mode.lower()}-{label}.png", saved(picture(mode, size), "PNG"))
        expect(f"png-1-{label}.png", saved(picture("L", size).convert("1"), "PNG"))
        expect(f"png-p-{label}.png", saved(quantized(size, 200), "PNG"))
    kinds = [(0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))]
    for colour, depths in kinds:
        for bits in depths:
            for size in [(1, 1), (7, 5), (61, 47), (224, 224), (225, 91), (500, 333)]:
                for interlace in (False, True):
                    extra = chunk(b"PLTE", noise("plte", 3 << bits)) if colour == 3 else b""
                    name = f"png-type{colour}-{bits}bit-{size[0]}x{size[1]}{'-interlaced' if interlace else ''}.png"
                    expect(name, png(size, bits, colour, interlace=interlace, extra=extra))
    expect("png-palette-short.png", png((300, 200), 8, 3, extra=chunk(b"PLTE", noise("short", 30))))
    for width in (3, 100, 225, 447, 448, 449, 1000, 1021, 2047):
        expect(f"png-picked-{width}.png", png((width, 9), 8, 3, extra=chunk(b"PLTE", noise("plte", 768))))
    clear = chunk(b"PLTE", noise("plte", 768)) + chunk(b"tRNS", noise("trns", 200))
    expect("png-palette-clear.png", png((300, 200), 8, 3, extra=clear))
    expect("png-gray-clear.png", png((300, 200), 8, 0, extra=chunk(b"tRNS", struct.pack(">H", 37))))
    expect("png-rgb-clear.png", png((300, 200), 8, 2, extra=chunk(b"tRNS", struct.pack(">HHH", 37, 74, 111))))
    expect("png-rgb16-clear.png", png((300, 200), 16, 2, extra=chunk(b"tRNS", struct.pack(">HHH", 37, 74, 111))))
    expect("png-gray16-dark.png", png((300, 200), 16, 0, top=300))
    expect("png-gray16-small-dark.png", png((100, 90), 16, 0, top=300))
    gamma = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"pHYs", struct.pack(">IIB", 1, 2, 1))
    expect("png-gamma.png", png((300, 200), 8, 2, extra=gamma))


def damaged():
    whole = saved(picture("RGB", (320, 240)), "PNG")
    idat, iend = whole.index(b"IDAT"), whole.index(b"IEND")
    length = struct.unpack(">I", whole[idat - 4:idat])[0]
    after = idat + 4 + length
    expect("png-bad-idat-crc.png", whole[:after] + b"\0\0\0\0" + whole[after + 4:])
    expect("png-bad-ihdr-crc.png", whole[:29] + b"\0\0\0\0" + whole[33:])
    expect("png-no-iend.png", whole[:iend - 4])
    expect("png-half-iend.png", whole[:iend + 2])
    expect("png-no-idat-crc.png", whole[:after])
    expect("png-bad-adler.png", whole[:after - 4] + b"\0\0\0\0" + whole[after:])
    for cut in (1, 100, length // 2, length - 60, length - 5, length - 4, length - 2):
        expect(f"png-cut-{cut}.png", whole[:idat + 4 + cut])
    expect("png-header-only.png", whole[:33])
    half = png((50, 50), 8, 0)
    expect("png-rows-missing.png", half[:16] + struct.pack(">II", 50, 60) + half[24:29] + struct.pack(">I", zlib.crc32(half[12:16] + struct.pack(">II", 50, 60) + half[24:29])) + half[33:])
    raw = whole[idat + 4:after]
    for kept in (length // 2, length - 4, length - 2):
        expect(f"png-stream-cut-{kept}.png", whole[:idat - 4] + chunk(b"IDAT", raw[:kept]) + whole[iend - 4:])
    parts = [chunk(b"IDAT", raw[i:i + 777]) for i in range(0, length, 777)]
    expect("png-parts.png", whole[:idat - 4] + b"".join(parts) + whole[iend - 4:])
    expect("png-parts-no-iend.png", whole[:idat - 4] + b"".join(parts))
    expect("png-parts-last-missing.png", whole[:idat - 4] + b"".join(parts[:-1]) + whole[iend - 4:])
    expect("png-bad-text-crc.png", whole[:33] + chunk(b"tEXt", b"a\0b")[:-4] + b"\0\0\0\0" + whole[33:])
    expect("png-bad-late-text-crc.png", whole[:iend - 4] + chunk(b"tEXt", b"a\0b")[:-4] + b"\0\0\0\0" + whole[iend - 4:])
    expect("png-text.png", whole[:33] + chunk(b"tEXt", b"a\0b") + chunk(b"iCCP", b"p\0\0" + zlib.compress(b"junk")) + whole[33:])
    junk = bytearray(whole)
    junk[after - length // 3] ^= 0x55
    expect("png-flipped.png", bytes(junk))

    for progressive in (False, True):
        label = "progressive" if progressive else "plain"
        whole = saved(picture("RGB", (320, 240)), "JPEG", quality=85, progressive=progressive)
        start = whole.index(b"\xff\xda") + 14
        for cut in (1, 2, 3, 40, len(whole) // 2, len(whole) - start - 10):
            expect(f"jpeg-{label}-cut-{cut}.jpg", whole[:-cut])
        for seed in range(12):
            broken = bytearray(whole)
            rng = random.Random(f"{label}{seed}")
            for _ in range(1 + seed % 4):
                broken[rng.randrange(start, len(broken) - 2)] = rng.randrange(256)
            expect(f"jpeg-{label}-broken-{seed}.jpg", bytes(broken))
            expect(f"jpeg-{label}-broken-cut-{seed}.jpg", bytes(broken[:-300]))
        expect(f"jpeg-{label}-padded.jpg", whole[:-2] + bytes(100))
        expect(f"jpeg-{label}-tail.jpg", whole + noise("tail", 5000))
        expect(f"jpeg-{label}-twice.jpg", whole + whole)
    expect("jpeg-header-only.jpg", whole[:300])
    expect("jpeg-start-only.jpg", b"\xff\xd8\xff")


def refused():
    for kind in ("TIFF", "PPM", "ICO", "TGA", "JPEG2000"):
        (OUT / f"other-{kind.lower()}").write_bytes(saved(picture("RGB", (48, 48)), kind))
        (OUT / f"other-{kind.lower()}.refused").write_text("not among the formats that are read\n")
    expect("empty.jpg", b"")
    expect("text.png", b"this is no image\n")
    expect("json.jpg", b'{"a": 1}')


KINDS = {"jpeg": jpegs, "png": pngs, "damaged": damaged, "refused": refused, "webp": webps, "gif": gifs, "bmp": bmps}
for kind in sys.argv[2:] or KINDS:
    KINDS[kind]()
