from collections.abc import Mapping

from flask import Blueprint, request

from web.db.scope import Scope
from web.disputes import repository, service
from web.disputes.models import EvidenceIntent
from web.disputes.schemas import DisputeList, DisputeObject, ListDisputes, SubmitEvidence, dispute_json
from web.gateways.disputes import Dispute as Told
from web.gateways.errors import GatewayDocumentError, GatewayRefusedError, GatewayUnavailableError, UnsupportedError
from web.gateways.protocol import Gateway
from web.http.answers import Answer
from web.http.bodies import parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.gateway_edge import GatewayWork, merchant_gateway_route
from web.http.paging import list_json
from web.http.problems import ConflictError, NotFoundError, UnavailableProblem
from web.wiring import wired

blueprint = Blueprint("disputes", __name__, url_prefix="/v1/disputes")

Reply = Told | ConflictError | UnavailableProblem


@blueprint.get("")
@operation("List disputes", "Disputes", DisputeList, scope="disputes:read", query=ListDisputes)
@merchant_route
def list_disputes(scope: Scope) -> Answer:
    """The merchant's disputes, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListDisputes))
    return Answer(200, list_json([dispute_json(dispute) for dispute in found], has_more=has_more))


@blueprint.get("/<dispute_id>")
@operation("Retrieve a dispute", "Disputes", DisputeObject, scope="disputes:read")
@merchant_route
def get_dispute(scope: Scope, dispute_id: str) -> Answer:
    """One dispute."""
    return _current(scope, dispute_id)


@blueprint.post("/<dispute_id>/evidence")
@operation(
    "Contest a dispute",
    "Disputes",
    DisputeObject,
    scope="disputes:write",
    body=SubmitEvidence,
    errors=(ConflictError, UnavailableProblem),
)
@merchant_gateway_route
def submit_evidence(dispute_id: str) -> GatewayWork[EvidenceIntent, Reply]:
    """Hand in evidence, once, before `evidence_due_at`."""
    evidence = {piece.kind: piece.text for piece in parse_body(request, SubmitEvidence).evidence}
    gateways = wired().gateways

    def conclude(scope: Scope, intent: EvidenceIntent, reply: Reply) -> Answer:
        if not isinstance(reply, Told):
            raise reply
        service.contest(scope, intent.dispute_id, evidence, reply)
        return _current(scope, intent.dispute_id)

    return GatewayWork(
        intend=lambda scope: service.request_evidence(scope, dispute_id),
        call=lambda intent: _hand_in(gateways[intent.gateway], intent, evidence),
        conclude=conclude,
        current=_current,
    )


def _hand_in(gateway: Gateway, intent: EvidenceIntent, evidence: Mapping[str, str]) -> Reply:
    if not gateway.capabilities.has_evidence:
        return ConflictError("This gateway takes evidence in its own dashboard only.")
    try:
        return gateway.submit_evidence(intent.gateway_reference, evidence)
    except (GatewayRefusedError, UnsupportedError):
        return ConflictError("The gateway takes no evidence for this dispute any more.")
    except (GatewayUnavailableError, GatewayDocumentError):
        return UnavailableProblem("The gateway did not take the evidence: try again.")


def _current(scope: Scope, dispute_id: str) -> Answer:
    dispute = repository.get(scope, dispute_id)
    if dispute is None:
        raise NotFoundError("There is no such dispute.")
    return Answer(200, dispute_json(dispute))
