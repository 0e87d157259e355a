#!/usr/bin/env python3
"""pages FOLDER [--draw]   looks at the reports in FOLDER with a browser; run by the Rust test that makes them

The pictures beside this file are how `usual.html` looked when somebody looked at it. `--draw` draws them anew: look at them.
"""

import json
import sys
import unittest
from pathlib import Path

from browser import Browser

HERE = Path(__file__).parent
FOLDER = Path()
# Width, colours, where the picture begins, height.
PICTURES = {
    "top-light": (1280, "light", "body", 1500),
    "top-dark": (1280, "dark", "body", 1500),
    "images-light": (1280, "light", "#images", 1200),
    "videos-dark": (1280, "dark", "#videos", 1500),
    "phone-light": (360, "light", "body", 1500),
    "phone-images-dark": (360, "dark", "#images", 1300),
}
# Pictures are kept at this scale, and compared in cells of 8x8 pixels: letters may be drawn a little differently on another machine.
SCALE = 0.5
MEAN, CELL, CELLS = 2.5, 40, 0.02

# Two pictures in a canvas each, and how far their cells are apart: the mean, and the share that differs by more than CELL.
COMPARE = """(async (one, other) => {
  const cells = async (base64) => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + base64;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [Math.floor(image.width / 8), Math.floor(image.height / 8)];
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return [image.width, image.height, context.getImageData(0, 0, canvas.width, canvas.height).data];
  };
  const [a, b] = [await cells(one), await cells(other)];
  if (a[0] !== b[0] || a[1] !== b[1]) return [255, 1];
  let sum = 0, far = 0;
  for (let at = 0; at < a[2].length; at += 4) {
    const apart = [0, 1, 2].map((channel) => Math.abs(a[2][at + channel] - b[2][at + channel]));
    sum += (apart[0] + apart[1] + apart[2]) / 3;
    if (Math.max(...apart) > %d) far += 1;
  }
  return [sum / (a[2].length / 4), far / (a[2].length / 4)];
})""" % CELL


def address(name):
    return FOLDER.joinpath(f"{name}.html").resolve().as_uri()


def drawn(browser, name, spoil=""):
    width, scheme, start, height = PICTURES[name]
    # So tall that nothing is below it: cards that no window shows are not drawn.
    page = browser.open(address("usual"), width=width, height=9_000, scheme=scheme)
    # The one font that every machine with sandbox/setup has.
    page.run("document.documentElement.style.fontFamily = 'DejaVu Sans'; document.querySelector('.note code').textContent = '--resume=journal.jsonl'; 1")
    page.run(f"{spoil or 1}; 1")
    page.run("document.fonts.ready.then(() => Promise.all([...document.images].map((image) => image.decode()))).then(() => 1)")
    top = page.run(f"Math.max(0, document.querySelector({json.dumps(start)}).getBoundingClientRect().top + scrollY)")
    return page.picture(0, top, width, height, SCALE)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def open(self, name, **look):
        page = self.browser.open(address(name), **look)
        self.assertEqual(page.run("document.documentElement.dataset.ready"), "yes", page.complaints())
        return page

    def fine(self, page):
        self.assertEqual(page.complaints(), [])
        self.assertEqual(page.run("broken"), [], "what the content policy stopped")
        outside = [url for url in page.requests() if not url.startswith(("file:///", "data:image/jpeg;base64,"))]
        self.assertEqual(outside, [])
        self.assertEqual(len([url for url in page.requests() if url.startswith("file:")]), 1, "the page itself only")

    def test_looks_as_it_did_when_somebody_looked(self):
        compare = self.browser.open("about:blank")
        for name in PICTURES:
            with self.subTest(name):
                now = drawn(self.browser, name)
                mean, far = self.apart(compare, HERE.joinpath(f"{name}.png").read_bytes(), now)
                print(f"{name}: cells differ by {mean:.2f} of 255, {far:.2%} by more than {CELL}")
                if mean > MEAN or far > CELLS:
                    FOLDER.joinpath(f"{name}.png").write_bytes(now)
                    self.fail(f"{name} looks different: {mean:.2f}, {far:.2%}. If it should: pages.py FOLDER --draw, and look at the pictures")

    def test_a_broken_layout_is_seen(self):
        compare = self.browser.open("about:blank")
        spoils = {"no style": "document.querySelector('style').remove()", "one column": "document.querySelector('.panels').style.display = 'block'",
                  "no bars": "document.querySelectorAll('.meter').forEach((one) => one.remove())", "dark": "document.documentElement.dataset.theme = 'dark'"}
        for name, spoil in spoils.items():
            with self.subTest(name):
                mean, far = self.apart(compare, HERE.joinpath("top-light.png").read_bytes(), drawn(self.browser, "top-light", spoil))
                self.assertTrue(mean > MEAN or far > CELLS, (mean, far))

    def apart(self, page, one, other):
        import base64
        texts = [json.dumps(base64.b64encode(png).decode()) for png in (one, other)]
        return page.run(f"{COMPARE}({texts[0]}, {texts[1]})")

    def test_nothing_hostile_runs_or_becomes_markup(self):
        page = self.open("hostile")
        page.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        # Each image's details as well.
        for _ in range(page.run("document.querySelectorAll('#sheet [data-item]').length")):
            page.run("document.querySelector('#detail').open ? document.querySelector('#later').click() : document.querySelector('#sheet [data-item]').click()")
        page.run("document.querySelector('#close').click()")
        page.wait("document.querySelectorAll('#strips table').length >= 1")
        self.assertIsNone(page.run("window.hacked"))
        self.assertEqual(page.run("document.scripts.length"), 2)
        self.assertEqual(page.run("document.images.length"), 0, "a thumbnail that is no JPEG")
        self.assertEqual(page.run("document.querySelectorAll('main a:not([href^=\"#\"]), iframe, object, embed, form, [onerror], [onload]').length"), 0)
        text = page.run("document.querySelector('main').textContent")
        for seen in ("</script><script>window.hacked='script'</script>.jpg", "<img src=x onerror=", "evil⟨U+202E⟩gpj.exe", "tab⟨U+0009⟩here⟨U+000A⟩newline⟨U+0000⟩", "{{data}}{{script}}.jpg", "no score"):
            self.assertIn(seen, text)
        self.assertNotIn("\u202e", text)
        self.fine(page)

    def test_a_phone_shows_everything_without_sideways_scrolling(self):
        for name in ("usual", "hostile", "many", "empty"):
            with self.subTest(name):
                page = self.open(name, width=360, height=740)
                page.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
                self.assertLessEqual(page.run("document.documentElement.scrollWidth"), 360)
                if name != "empty":
                    page.run("document.querySelector('#sheet [data-item]').click()")
                    self.assertLessEqual(page.run("document.querySelector('#detail').scrollWidth - document.querySelector('#detail').clientWidth"), 0)

    def test_the_keyboard_reaches_everything(self):
        page = self.open("usual")
        at = "document.activeElement"
        page.press("Tab")
        self.assertEqual(page.run(f"{at}.className"), "skip")
        self.assertGreaterEqual(page.run(f"{at}.getBoundingClientRect().top"), 0, "the link is seen while it has the focus")
        page.press("Enter")
        self.assertEqual(page.run(f"{at}.id"), "main")
        page.press("/", "/")
        self.assertEqual(page.run(f"{at}.id"), "query")
        page.press("ArrowDown")
        self.assertEqual(page.run(f"{at}.dataset.item"), "0")
        self.assertNotEqual(page.run(f"getComputedStyle({at}).outlineStyle"), "none", "the focus is seen")
        for key, place in (("ArrowRight", "1"), ("ArrowDown", "6"), ("ArrowLeft", "5"), ("ArrowUp", "0"), ("ArrowUp", "0"), ("End", "59"), ("ArrowRight", "60"), ("ArrowLeft", "59"), ("Home", "0")):
            page.press(key)
            self.assertEqual(page.run(f"{at}.dataset.item"), place, key)
        page.press("Enter")
        self.assertTrue(page.run("document.querySelector('#detail').open"))
        self.assertEqual(page.run("document.querySelectorAll('#detail .classes li').length"), 10, "the five best of two models")
        page.press("ArrowRight")
        self.assertIn("holiday-0001", page.run("document.querySelector('#detail-title').textContent"))
        page.press("Escape")
        self.assertFalse(page.run("document.querySelector('#detail').open"))
        page.wait(f"{at}.dataset.item === '1'")
        page.run("document.querySelector('.strip').focus()")
        before = page.run(f"{at}.getAttribute('aria-valuetext')")
        page.press("ArrowRight")
        self.assertNotEqual(page.run(f"{at}.getAttribute('aria-valuetext')"), before)
        self.assertEqual(page.run(f"{at}.getAttribute('aria-valuenow')"), "1")
        # Tab leaves the sheet after one item: what comes next is its pager.
        page.run("document.querySelector('#sheet [data-item]').focus()")
        page.press("Tab")
        self.assertTrue(page.run(f"!!{at}.closest('#pager')"))
        self.fine(page)

    def test_a_search_finds_names_labels_and_failures(self):
        page = self.open("many")
        counted = "document.querySelector('#count').textContent"
        self.assertEqual(page.run(counted), "1 to 60 of 10,000 images")
        page.run("document.querySelector('#query').focus()")
        page.type("09123.jpg")
        self.assertEqual(page.run(counted), "1 to 1 of 1 image")
        page.press("Escape")
        self.assertEqual(page.run(counted), "1 to 60 of 10,000 images")
        page.type("connection was lost")
        self.assertEqual(page.run(counted), "1 to 60 of 95 images")
        page.press("Escape")
        times = page.run("document.querySelector('.bars .num').textContent").split(" ")[0]
        page.run("document.querySelector('.bars button').click()")
        self.assertIn("densenet: ", page.run("document.querySelector('#chip').textContent"))
        self.assertGreater(int(page.run(counted).split(" of ")[1].split(" ")[0].replace(",", "")), 0)
        self.assertTrue(times)
        self.fine(page)

    def test_ten_thousand_images_open_with_a_small_page(self):
        page = self.open("many")
        took = page.run("Math.round(performance.timing.loadEventEnd - performance.timing.navigationStart)")
        elements = page.run("document.getElementsByTagName('*').length")
        print(f"10,000 images and 20 videos: {FOLDER.joinpath('many.html').stat().st_size / 1e6:.1f} MB, loaded in {took} ms, {elements} elements")
        self.assertLess(elements, 4_000)
        self.assertLessEqual(page.run("document.querySelectorAll('#sheet img').length"), 60)

    def test_colours_have_contrast_and_change_by_a_button(self):
        contrast = """(() => {
          const light = (text) => {
            const canvas = document.createElement('canvas').getContext('2d', { colorSpace: 'srgb' });
            canvas.fillStyle = text;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = (element) => {
            for (let one = element; one; one = one.parentElement) {
              const colour = getComputedStyle(one).backgroundColor;
              if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
            }
            return getComputedStyle(document.body).backgroundColor;
          };
          const poor = new Set();
          for (const element of document.querySelectorAll('main *, footer *')) {
            if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || !element.checkVisibility()) continue;
            const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
            if ((a + 0.05) / (b + 0.05) < 4.5 && !element.disabled) poor.add(element.tagName + '.' + element.className + ' ' + ((a + 0.05) / (b + 0.05)).toFixed(2));
          }
          return [...poor];
        })()"""
        for scheme in ("light", "dark"):
            page = self.open("usual", scheme=scheme)
            self.assertEqual(page.run(contrast), [], scheme)
            before = page.run("getComputedStyle(document.body).backgroundColor")
            page.run("document.querySelector('#theme').click()")
            self.assertNotEqual(page.run("getComputedStyle(document.body).backgroundColor"), before)
            self.assertEqual(page.run(contrast), [], f"{scheme}, changed")

    def test_prints_without_what_is_for_the_screen(self):
        page = self.open("usual", media="print", scheme="dark")
        for gone in (".top", ".tools", ".pager", ".hint"):
            self.assertEqual(page.run(f"getComputedStyle(document.querySelector('{gone}')).display"), "none", gone)
        self.assertEqual(page.run("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
        self.assertEqual(page.run("getComputedStyle(document.querySelector('h1')).color"), "rgb(19, 26, 34)")

    def test_an_empty_run_has_a_page_as_well(self):
        page = self.open("empty")
        self.assertEqual(page.run("document.querySelector('h1').textContent"), "Nothing was classified")
        self.assertTrue(page.run("['labels', 'images', 'videos', 'latency', 'errors'].every((id) => document.getElementById(id).hidden)"))
        self.fine(page)


def main():
    global FOLDER
    arguments = [argument for argument in sys.argv[1:] if argument != "--draw"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    FOLDER = Path(arguments[0])
    if "--draw" not in sys.argv:
        unittest.main(argv=[sys.argv[0]], verbosity=2)
    with Browser() as browser:
        for name in PICTURES:
            HERE.joinpath(f"{name}.png").write_bytes(drawn(browser, name))


main()
