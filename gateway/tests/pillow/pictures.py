"""Pictures to make images of, and what pillow 11.0.0 makes of those."""

import functools
import io
import random
import sys
from pathlib import Path

import PIL
from PIL import Image, ImageFile, ImageOps

assert PIL.__version__ == "11.0.0", PIL.__version__
OUT = Path(sys.argv[1])
OUT.mkdir(parents=True, exist_ok=True)
SIZES = [(1, 1), (2, 3), (1, 300), (300, 1), (223, 225), (224, 224), (224, 100), (100, 224), (37, 53), (640, 480), (451, 1003)]

ImageFile.MAXBLOCK = 1 << 22  # room for noise at full quality
Image.MAX_IMAGE_PIXELS = 89_478_485 // 2  # what is twice as large is an error, not only a warning


def noise(seed, count):
    return random.Random(seed).randbytes(count)


SLOPE = bytes(i // 2 % 256 for i in range(512))
BLOCKS = bytes(255 if i < 9 else 0 for i in range(27))


@functools.cache
def picture(mode, size, seed=0):
    """Slopes, edges and noise: something for every part of a kernel."""
    width, height = size
    bands = len(Image.new(mode, (1, 1)).getbands())
    line = width * bands
    grain = noise(f"{mode}{size}{seed}", line * height)
    data = bytearray(grain)
    for y in range(height):
        row = memoryview(data)[y * line:(y + 1) * line]
        for band in range(bands):
            if y % 3:
                step = 3 + band
                start = y * (5 - band) % 512
                row[band::bands] = (SLOPE * (width * step // 512 + 2))[start:start + width * step:step]
            elif y % 2:
                start = (y // 7 + band) % 3 * 9
                row[band::bands] = (BLOCKS * (width // 27 + 2))[start:start + width]
    return Image.frombytes(mode, size, bytes(data))


@functools.cache
def quantized(size, colours):
    return picture("RGB", size).quantize(colours)


def unit(image):
    return image.resize((224, 224)).convert("RGB")


def imagenet(image):
    """torchvision's Resize(256) and CenterCrop(224), on the RGB image that its loader gives."""
    image = image.convert("RGB")
    short, long = sorted(image.size)
    long = int(256 * long / short)
    size = (256, long) if image.width <= image.height else (long, 256)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = int(round((size[0] - 224) / 2.0)), int(round((size[1] - 224) / 2.0))
    return image.crop((left, top, left + 224, top + 224))


def upright(image):
    return ImageOps.exif_transpose(image).resize((301, 97), Image.Resampling.BILINEAR).convert("RGB")


def expect(name, content):
    """NAME is the image as a bucket would hold it; NAME.PRESET is what a preset makes of it, or NAME.refused says why
    it is no image."""
    path = OUT / name
    assert not path.exists(), name
    path.write_bytes(content)
    try:
        for preset in (unit, imagenet, upright):
            with Image.open(io.BytesIO(content)) as image:
                path.with_name(f"{name}.{preset.__name__}").write_bytes(preset(image).tobytes())
    except (OSError, EOFError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        path.with_name(name + ".refused").write_text(f"{error}\n")


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(way):
    """The EXIF of a picture that lies in one of eight ways."""
    exif = Image.Exif()
    exif[0x0112] = way
    return exif


def flipped(whole, seed, start, end):
    """With a byte or a few between start and end changed."""
    broken = bytearray(whole)
    rng = random.Random(f"flipped{seed}")
    for _ in range(1 + seed % 3):
        broken[rng.randrange(start, min(end, len(broken)))] = rng.choice((0, 1, 2, 127, 128, 255, rng.randrange(256)))
    return bytes(broken)
