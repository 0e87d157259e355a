"""WebP, GIF and BMP files: what Pillow writes, and what it would not."""

import io
import random
import struct

from PIL import Image

from pictures import SIZES, expect, flipped, noise, picture, quantized, saved, turned


# WebP

def riff(*chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def u24(value):
    return struct.pack("<I", value)[:3]


def extended(size, flags):
    return b"VP8X", bytes([flags, 0, 0, 0]) + u24(size[0] - 1) + u24(size[1] - 1)


def chunks(webp):
    at, found = 12, {}
    while at < len(webp):
        kind, length = webp[at:at + 4], struct.unpack("<I", webp[at + 4:at + 8])[0]
        found[kind] = webp[at + 8:at + 8 + length]
        at += 8 + length + length % 2
    return found


def stream(image, **options):
    """The picture alone: alpha where it is apart, and the pixels."""
    found = chunks(saved(image, "WEBP", **options))
    return [(kind, found[kind]) for kind in (b"ALPH", b"VP8 ", b"VP8L") if kind in found]


def frame(place, image, flags=0, **options):
    parts = b"".join(kind + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2) for kind, d in stream(image, **options))
    size = u24(image.width - 1) + u24(image.height - 1)
    return b"ANMF", u24(place[0] // 2) + u24(place[1] // 2) + size + u24(100) + bytes([flags]) + parts


def webps():
    for size in SIZES:
        label = f"{size[0]}x{size[1]}"
        for mode in ("RGB", "RGBA"):
            image = picture(mode, size)
            expect(f"webp-{mode.lower()}-{label}.webp", saved(image, "WEBP", quality=80, method=1))
            expect(f"webp-{mode.lower()}-lossless-{label}.webp", saved(image, "WEBP", lossless=True, quality=20, method=0))
    image, clear = picture("RGB", (333, 251)), picture("RGBA", (333, 251))
    for quality in (0, 30, 100):
        expect(f"webp-quality-{quality}.webp", saved(image, "WEBP", quality=quality, method=4))
        expect(f"webp-alpha-{quality}.webp", saved(clear, "WEBP", quality=90, alpha_quality=quality, method=4))
    expect("webp-few-colours.webp", saved(image.quantize(7).convert("RGB"), "WEBP", lossless=True))
    expect("webp-exact.webp", saved(clear, "WEBP", lossless=True, exact=True))
    expect("webp-gray.webp", saved(picture("L", (200, 150)), "WEBP"))
    for way in range(1, 9):
        expect(f"webp-turned-{way}.webp", saved(image, "WEBP", exif=turned(way), icc_profile=noise("icc", 300)))
    frames = [picture("RGBA", (90, 70), seed) for seed in range(3)]
    expect("webp-moving.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    frames = [picture("RGB", (90, 70), seed) for seed in range(3)]
    expect("webp-moving-lossy.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], background=(9, 8, 7, 255)))
    anim, small = (b"ANIM", b"\1\2\3\4\0\0"), picture("RGB", (40, 30))
    see_through = picture("RGBA", (40, 30))
    for flags in (2, 18):
        for kind, content in (("rgb", small), ("rgba", see_through)):
            for options in ({"lossless": True}, {"quality": 70}):
                name = f"webp-part-{kind}-{flags}-{'-'.join(options)}.webp"
                body = riff(extended((101, 77), flags), anim, frame((20, 10), content, 2, **options), frame((0, 0), image.crop((0, 0, 101, 77))))
                expect(name, body)
            still = riff(extended((40, 30), flags - 2), *stream(content, lossless=True))
            expect(f"webp-still-{kind}-{flags}.webp", still)
    expect("webp-part-outside.webp", riff(extended((50, 40), 2), anim, frame((20, 10), small)))
    expect("webp-canvas-lies.webp", riff(extended((50, 40), 0), *stream(small)))
    expect("webp-canvas-huge.webp", riff(extended((16000, 16000), 2), anim, frame((0, 0), small)))
    expect("webp-no-frames.webp", riff(extended((50, 40), 2), anim))
    expect("webp-unknown-chunk.webp", riff((b"ABCD", b"123"), *stream(small)))
    expect("webp-tail.webp", saved(small, "WEBP") + noise("tail", 99))
    for kind, options in (("lossy", {}), ("lossless", {"lossless": True}), ("alpha", {"quality": 70})):
        whole = saved(clear if kind == "alpha" else image, "WEBP", **options)
        for cut in (1, 2, 40, len(whole) // 2, len(whole) - 40, len(whole) - 25, len(whole) - 13):
            expect(f"webp-{kind}-cut-{cut}.webp", whole[:-cut])
        lying = whole[:len(whole) // 2]
        expect(f"webp-{kind}-cut-lying.webp", b"RIFF" + struct.pack("<I", len(lying) - 8) + lying[8:])
        for seed in range(25):
            expect(f"webp-{kind}-flipped-{seed}.webp", flipped(whole, seed, 12, 40 if seed % 2 else len(whole)))


# GIF

def lzw(pixels, bits, clears=True, end=True, limit=4096):
    """A code stream. Without `clears` there is one at the beginning only, and the table stays full."""
    clear, codes, table, size, buffer, count = 1 << bits, [], {}, bits + 1, 0, 0
    out = bytearray()

    def put(code):
        nonlocal buffer, count
        buffer |= code << count
        count += size
        while count >= 8:
            out.append(buffer & 255)
            buffer >>= 8
            count -= 8

    put(clear)
    after, prefix = clear + 2, ()
    for pixel in pixels:
        longer = prefix + (pixel,)
        if len(longer) == 1 or longer in table:
            prefix = longer
            continue
        put(table[prefix] if len(prefix) > 1 else prefix[0])
        if after < limit:
            table[longer] = after
            if after == 1 << size and size < 12:
                size += 1
            after += 1
        elif clears:
            put(clear)
            table, size, after = {}, bits + 1, clear + 2
        prefix = (pixel,)
    put(table[prefix] if len(prefix) > 1 else prefix[0])
    if end:
        put(clear + 1)
    if count:
        out.append(buffer & 255)
    return bytes(out)


def blocks(data, length=255):
    return b"".join(bytes([len(data[i:i + length])]) + data[i:i + length] for i in range(0, len(data), length)) + b"\0"


def gif(screen, place, size, bits=8, shared=None, own=None, before=b"", interlace=False, after=b";", length=255, stream=None, **options):
    rng = random.Random(f"{size}{bits}")
    colours = 1 << min(bits, 8)
    pixels = [rng.randrange(colours) if i % 7 == 0 else i // 5 % colours for i in range(size[0] * size[1])]
    data = lzw(pixels, bits, **options) if stream is None else stream

    def flags(palette):
        return 0 if palette is None else 0x80 | (len(palette) // 3).bit_length() - 2

    head = b"GIF89a" + struct.pack("<HHBBB", *screen, flags(shared), 3, 0) + (shared or b"")
    local = struct.pack("<HHHHB", *place, *size, flags(own) | (0x40 if interlace else 0))
    return head + before + b"," + local + (own or b"") + bytes([bits]) + blocks(data, length) + after


def gifs():
    for size in SIZES:
        label = f"{size[0]}x{size[1]}"
        for interlace in (0, 1):
            for colours in (2, 16, 256):
                image = quantized(size, colours)
                expect(f"gif-{colours}-{label}-{interlace}.gif", saved(image, "GIF", interlace=interlace))
            expect(f"gif-gray-{label}-{interlace}.gif", saved(picture("L", size), "GIF", interlace=interlace))
    frames = [picture("RGB", (90, 70), seed).quantize(50) for seed in range(3)]
    for disposal in range(4):
        moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=disposal, transparency=3, loop=0, comment=b"hello")
        expect(f"gif-moving-{disposal}.gif", moving)
    ramp, other = bytes(v for i in range(256) for v in (i, i, i)), noise("palette", 768)
    clear, unclear = b"!\xf9\4\1\0\0\7\0", b"!\xf9\4\0\0\0\7\0"
    for bits in (1, 2, 3, 5, 8):
        for interlace in (False, True):
            few = other[:3 << bits]
            expect(f"gif-bits-{bits}-{interlace}.gif", gif((61, 47), (0, 0), (61, 47), bits, few, interlace=interlace))
    for bits in (0, 9, 11, 12, 13, 255):
        expect(f"gif-odd-bits-{bits}.gif", gif((61, 47), (0, 0), (61, 47), shared=other, stream=noise("bits", 4000), bits=bits))
    for bits in (9, 11):
        expect(f"gif-long-bits-{bits}.gif", gif((61, 47), (0, 0), (61, 47), bits, other))
    # A gray table within a file that has another is left out: pillow stumbles over its own modes there; we read it.
    for name, shared, own in (("shared", other, None), ("own", None, other), ("both", ramp, other),
                              ("gray", ramp, None), ("none", None, None), ("short", other[:6], None), ("short-ramp", ramp[:6], None)):
        for mark, before in (("", b""), ("-clear", clear), ("-unclear", unclear)):
            expect(f"gif-palette-{name}{mark}.gif", gif((300, 200), (31, 17), (150, 120), 8, shared, own, before))
    expect("gif-outside.gif", gif((100, 80), (31, 17), (150, 120), 8, other))
    expect("gif-no-screen.gif", gif((0, 0), (3, 5), (150, 120), 8, other, before=clear))
    expect("gif-empty.gif", gif((100, 80), (0, 0), (0, 5), 8, other, stream=b"\0\3\2"))
    expect("gif-huge.gif", gif((60000, 60000), (0, 0), (5, 5), 8, other))
    expect("gif-full-table.gif", gif((640, 480), (0, 0), (640, 480), 8, other, clears=False))
    expect("gif-early-clears.gif", gif((640, 480), (0, 0), (640, 480), 8, other, limit=700))
    expect("gif-no-end.gif", gif((64, 48), (0, 0), (64, 48), 8, other, end=False))
    expect("gif-small-blocks.gif", gif((64, 48), (0, 0), (64, 48), 8, other, length=3))
    expect("gif-no-trailer.gif", gif((64, 48), (0, 0), (64, 48), 8, other, after=b""))
    early = lzw([5, 6, 7] * 100, 8)
    expect("gif-early-end.gif", gif((64, 48), (0, 0), (64, 48), 8, other, stream=early))
    expect("gif-early-end-tail.gif", gif((64, 48), (0, 0), (64, 48), 8, other, stream=early, after=noise("tail", 90000)))
    for name, before in (("comment", b"!\xfe\5hello\0"), ("two-comments", b"!\xfe\5hello\0!\xfe\2ho\0"), ("empty-comment", b"!\xfe\0"),
                         ("loop", b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"), ("text", b"!\1\2ab\3abc\0"), ("junk", b"\0\1\2abc"),
                         ("empty-control", b"!\xf9\0"), ("short-control", b"!\xf9\1\0\0"), ("shorter-control", b"!\xf9\3\1\0\0\0"),
                         ("empty-text", b"!\1\0\2ab\0"), ("loop-empty", b"!\xff\x0bNETSCAPE2.0\0\2ab\0"), ("twice", clear + b"!\xf9\4\1\0\0\x09\0"),
                         ("trailer", b";")):
        expect(f"gif-before-{name}.gif", gif((64, 48), (2, 2), (61, 44), 8, other, before=before))
    whole = saved(picture("RGB", (120, 90)).quantize(120), "GIF")
    for cut in (1, 2, 3, 4, 40, len(whole) // 2, len(whole) - 800, len(whole) - 12, len(whole) - 6):
        expect(f"gif-cut-{cut}.gif", whole[:-cut])
    for seed in range(60):
        expect(f"gif-flipped-{seed}.gif", flipped(whole, seed, 6, (len(whole), 30)[seed % 2]))
        expect(f"gif-flipped-stream-{seed}.gif", flipped(whole, seed, 13 + 3 * 128 + 8, 13 + 3 * 128 + 60))


# BMP

def bmp(size, bits, data=None, header=40, compression=0, palette=b"", colours=0, masks=b"", down=False, offset=None, seed=0):
    width, height = size
    line = (width * bits + 31) // 32 * 4
    if data is None:
        rng = random.Random(f"{size}{bits}{seed}")
        slope = bytes(x * 3 % 256 for x in range(line + 256))
        # 171 * 3 = 513 = 1 (mod 256): to begin there is to add y * 5.
        data = b"".join(slope[y * 5 * 171 % 256:][:line] if y % 3 else rng.randbytes(line) for y in range(height))
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIIIII", header, width, -height if down else height, 1, bits, compression, len(data), 2835, 2835, colours, 0)
        if header > 40:
            info += (masks + bytes(84))[:header - 40]
            masks = b""
    start = 14 + len(info) + len(masks) + len(palette) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + masks + palette + data


def runs(size, nibbles, seed=0, tricks=True):
    """Runs, pixels as they are, ends of rows and moves."""
    rng, out, width, height = random.Random(f"{size}{nibbles}{seed}"), bytearray(), *size
    for _ in range(height):
        x = 0
        while x < width:
            trick = rng.randrange(12) if tricks else 5
            if trick < 4 and width - x > 3:
                count = rng.randrange(3, min(width - x, 255) + 1)
                body = rng.randbytes((count + 1) // 2 if nibbles else count)
                out += bytes([0, count]) + body + b"\0" * (len(body) % 2)
                x += count
            elif trick == 11:
                break
            elif trick == 10:
                out += bytes([0, 2, rng.randrange(9), rng.randrange(2)])
                x += 4
            else:
                count = rng.randrange(1, min(width - x, 255) + 1)
                out += bytes([count, rng.randrange(256)])
                x += count
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def masked(*values):
    return struct.pack("<" + "I" * len(values), *values)


def bmps():
    colours = {bits: b"".join(noise(f"palette{bits}{i}", 3) + b"\0" for i in range(1 << bits)) for bits in (1, 4, 8)}
    gray = {bits: b"".join(bytes([i * 255 // ((1 << bits) - 1)] * 3 + [0]) for i in range(1 << bits)) for bits in (1, 4, 8)}
    for size in SIZES:
        label = f"{size[0]}x{size[1]}"
        for mode in ("1", "L", "P", "RGB", "RGBA"):
            image = quantized(size, 200) if mode == "P" else picture("L", size).convert("1") if mode == "1" else picture(mode, size)
            expect(f"bmp-{mode.lower()}-{label}.bmp", saved(image, "BMP"))
        for bits in (1, 4, 8, 16, 24, 32):
            expect(f"bmp-{bits}bit-{label}.bmp", bmp(size, bits, palette=colours.get(bits, b""), down=bits == 16))
    size = (61, 47)
    for bits in (1, 4, 8, 16, 24, 32):
        for header in (12, 40, 52, 56, 64, 108, 124, 16, 41):
            palette = colours.get(bits, b"")
            if header == 12:
                palette = b"".join(palette[i:i + 3] for i in range(0, len(palette), 4))
            expect(f"bmp-header-{header}-{bits}.bmp", bmp(size, bits, header=header, palette=palette))
            expect(f"bmp-header-{header}-{bits}-nowhere.bmp", bmp(size, bits, header=header, palette=palette, offset=0))
            expect(f"bmp-header-{header}-{bits}-early.bmp", bmp(size, bits, header=header, palette=palette, offset=14 + header))
    for bits in (0, 2, 3, 7, 15, 48, 64, 65535):
        expect(f"bmp-odd-{bits}.bmp", bmp(size, 8) [:28] + struct.pack("<H", bits) + bmp(size, 8)[30:])
    for bits in (1, 4, 8):
        expect(f"bmp-gray-{bits}.bmp", bmp(size, bits, palette=gray[bits]))
        expect(f"bmp-down-{bits}.bmp", bmp(size, bits, palette=colours[bits], down=True))
        for count in (1, 2, 3, 16, 200, 256, 257, 300, 65536, 65537):
            grain = noise(f"palette{count}", 3 * count)
            table = b"".join(grain[3 * i:3 * i + 3] + b"\0" for i in range(count))
            ramp = b"".join(bytes([i % 256] * 3 + [0]) for i in range(count))
            two = bytes([0, 0, 0, 0, 255, 255, 255, 0])
            for name, palette in (("colours", table), ("ramp", ramp), ("two", two)):
                expect(f"bmp-{bits}-of-{count}-{name}.bmp", bmp(size, bits, palette=palette, colours=count))
    layouts = {32: [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
                    (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
                    (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0), (0xFF, 0xFF00, 0xFF0000, 0)],
               24: [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF, 0xFF00, 0xFF0000, 0), (0xFF0000, 0xFF00, 0xFF, 0xFF)],
               16: [(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0), (0xF00, 0xF0, 0xF, 0xF000)], 8: [(0, 0, 0, 0)]}
    for bits, ways in layouts.items():
        for i, way in enumerate(ways):
            for header in (40, 52, 56, 64, 108, 124):
                masks = masked(*(way[:3] if header == 40 else way))
                name = f"bmp-masks-{bits}-{i}-{header}.bmp"
                expect(name, bmp((225, 47), bits, header=header, compression=3, masks=masks, palette=colours.get(bits, b"")))
    for nibbles in (False, True):
        for shape in ((1, 1), (2, 3), (61, 47), (224, 224), (300, 201)):
            for seed in range(4):
                bits = 4 if nibbles else 8
                name = f"bmp-runs-{bits}-{shape[0]}x{shape[1]}-{seed}.bmp"
                data = runs(shape, nibbles, seed, tricks=seed > 1)
                table = gray[8] if seed == 1 else colours[bits]
                expect(name, bmp(shape, bits, data, compression=2 if nibbles else 1, palette=table, colours=len(table) // 4, down=seed == 3))
    data = runs(size, False, tricks=False)
    for bits in (1, 2, 4, 16, 24, 32):
        expect(f"bmp-runs-in-{bits}.bmp", bmp(size, bits, data, compression=1, palette=colours.get(bits, b"")))
    expect("bmp-runs-black-and-white.bmp", bmp(size, 1, data, compression=1, palette=gray[1]))
    expect("bmp-runs-far.bmp", bmp((9000, 900), 8, b"\0\2\0\0\xff\xff" * 40, compression=1, palette=colours[8]))
    for cut in (1, 2, 3, 40, 1000):
        expect(f"bmp-runs-cut-{cut}.bmp", bmp(size, 8, data[:-cut], compression=1, palette=colours[8]))
    for compression in (4, 5, 6, 99):
        expect(f"bmp-compression-{compression}.bmp", bmp(size, 24, compression=compression))
    for shape in ((0, 5), (5, 0), (-5, 5), (60000, 60000), (5, -2**31)):
        head = bmp(size, 24)
        expect(f"bmp-shape-{shape[0]}-{shape[1]}.bmp", head[:18] + struct.pack("<ii", *shape) + head[26:])
    for bits in (8, 24):
        whole = bmp((61, 47), bits, palette=colours.get(bits, b""))
        for cut in (1, 2, 3, 4, 5, 200, len(whole) - 60, len(whole) - 20, len(whole) - 3):
            expect(f"bmp-{bits}-cut-{cut}.bmp", whole[:-cut])
        for seed in range(60):
            expect(f"bmp-{bits}-flipped-{seed}.bmp", flipped(whole, seed, 10, 60))
        packed = bmp((61, 47), 8, runs((61, 47), False), compression=1, palette=colours[8])
        for seed in range(60):
            expect(f"bmp-runs-flipped-{bits}-{seed}.bmp", flipped(packed, seed + bits, 14, len(packed)))
