"""One API call, as the AWS service models describe it: which service and operation, with which parameters, by whom."""

from __future__ import annotations

import contextlib
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, XFormedAttributePicker, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from .errors import AwsError

# The service of a signature's scope, where the SDK's models call it otherwise.
MODEL_NAMES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}
READS = ("Describe", "List", "Get", "Head", "BatchGet", "BatchCheck", "Select", "Search", "Lookup", "Simulate")


_preparing = threading.Lock()
_prepared: set[str] = set()


def prepare(service: str) -> None:
    """Makes the service's operations once, by one thread: moto makes each when it is first wanted, and where two threads
    want it one of them may be given botocore's own, which lacks half of it.
    """
    if service in _prepared:
        return
    with _preparing:
        model = get_service_model(service)
        for name in model.operation_names:
            model.operation_model(name)
        for protocol in model.metadata.get("protocols", [model.protocol]):
            with contextlib.suppress(NotFound):  # moto does not speak them all
                get_service_router(service)._get_router(protocol)
        _prepared.add(service)


@dataclass(frozen=True)
class Principal:
    """Who signed: a user, or a session of a role."""

    arn: str
    user_id: str
    account: str
    user: str | None = None  # names in IAM; one of the two is set
    role: str | None = None


@dataclass
class Call:
    request: Request
    service: str  # as botocore calls it: ec2, eks, elbv2
    region: str
    account: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    principal: Principal | None = None
    operation: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)  # from a hook before to one after
    unreadable: str = ""  # why the parameters cannot be read, where they cannot

    def read_operation(self) -> None:
        """Sets operation and params; an operation that the model does not know stays empty."""
        prepare(self.service)
        try:
            model, in_path = get_service_router(self.service).match(self.request)
        except (NotFound, NotImplementedError):
            return
        self.operation = model.name
        if self.service == "s3":
            # Bodies are objects, and the rest is in the URL: what the rules want of S3 is read where it is wanted.
            self.params = dict(in_path)
            return
        parser = PROTOCOL_PARSERS[self.protocol](model)
        try:
            self.params = parser.parse(
                {
                    "method": self.request.method,
                    "values": self.request.values,
                    "headers": self.request.headers,
                    "body": self.request.data,
                    "url_path": self.request.path,
                    "url_params": in_path,
                }
            )
        except (ValueError, TypeError, AttributeError) as error:  # a word where a number is wanted, and the like
            self.unreadable = str(error)

    @property
    def mutating(self) -> bool:
        if not self.operation or self.operation.startswith(READS) or self.params.get("DryRun"):
            return False
        return self.service != "sts"  # sessions are not resources

    @property
    def action(self) -> str:
        """As IAM writes it."""
        prefix = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}.get(self.service, self.service)
        return f"{prefix}:{self.operation}"

    @property
    def is_json(self) -> bool:
        return self.protocol in ("json", "rest-json")

    def result(self, value: Any) -> Response:
        return self._serialized(value)

    def error(self, error: AwsError) -> Response:
        if self.service == "s3":
            return self._error_of_s3(error)
        return self._serialized(error, error.status)

    def _error_of_s3(self, error: AwsError) -> Response:
        """With members that no model has."""
        told = {"Code": error.code, "Message": error.message, **error.members, "RequestId": self.request_id, "HostId": "sandbox"}
        body = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in told.items())
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{body}</Error>'
        return Response(text, status=error.status or 400, headers=error.headers, content_type="application/xml")

    @property
    def model(self) -> ServiceModel:
        return get_service_model(self.service)

    @property
    def protocol(self) -> str:
        return determine_request_protocol(self.model, self.request.content_type)

    def _serialized(self, value: Any, status: int | None = None) -> Response:
        model = self.model
        operation = model.operation_model(self.operation) if self.operation else OperationModel({}, model)
        serializer = get_serializer_class(model.service_name, self.protocol)(
            operation_model=operation,
            context=SerializationContext(self.request_id),
            value_picker=XFormedAttributePicker(),
        )
        done = serializer.serialize(value)
        response = Response(done["body"], status=status or done["status_code"], headers=dict(done["headers"]))
        if isinstance(value, AwsError) and self.is_json:
            response.headers["X-Amzn-ErrorType"] = value.code
        return response
