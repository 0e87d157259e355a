"""The schema of protocol v1 and its vectors say the same."""

import json
import pathlib
import unittest

import jsonschema

ROOT = pathlib.Path(__file__).parents[3]
VECTORS = ROOT / "gateway/wire/vectors/v1"


class Schema(unittest.TestCase):
    def setUp(self):
        schema = json.loads((ROOT / "docs/protocol-v1.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        self.side = {
            side: jsonschema.Draft202012Validator({"$ref": f"#/$defs/{side}", "$defs": schema["$defs"]})
            for side in ("client", "gateway")
        }
        self.messages = json.loads((VECTORS / "messages.json").read_text())

    def test_takes_every_message(self):
        for side, validator in self.side.items():
            for message in self.messages[side]:
                with self.subTest(side=side, message=message):
                    validator.validate(message)

    def test_refuses_what_the_gateway_refuses(self):
        for refused in self.messages["refused"]:
            with self.subTest(refused["why"]):
                self.assertFalse(self.side["client"].is_valid(refused["message"]))

    def test_takes_the_headers_of_frames(self):
        for frame in json.loads((VECTORS / "frames.json").read_text()):
            if "header" in frame:
                with self.subTest(frame["name"]):
                    self.side["client"].validate(frame["header"])


if __name__ == "__main__":
    unittest.main()
