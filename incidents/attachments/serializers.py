from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.serializers import StrictSerializer
from incidents.models import Attachment


@extend_schema_field({"type": "string", "format": "binary", "minLength": 1})
class NotEmptyFileField(serializers.FileField):
    pass


class UploadSerializer(StrictSerializer):
    """A file, of which only the last part of its name is kept."""

    file = NotEmptyFileField()

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError for several files, of which REST framework would take the last."""
        if hasattr(data, "getlist") and len(data.getlist("file")) > 1:
            raise serializers.ValidationError({"file": [_("Send one file.")]}, code="invalid")
        return super().to_internal_value(data)


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    """A file of an incident. Its type is told by its content; type, size and digest are null until it is stored."""

    content_type = serializers.CharField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)
    url = serializers.SerializerMethodField(help_text="Where its bytes are, once it is stored.")

    class Meta:
        model = Attachment
        fields = ("id", "name", "content_type", "size", "sha256", "state", "created_at", "url")

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, attachment: Attachment) -> str:
        request = self.context["request"]
        path = request.path.rstrip("/")
        return f"{request.scheme}://{request.get_host()}{path}/{attachment.pk}/"

    def to_representation(self, instance: Attachment) -> dict[str, Any]:
        found = super().to_representation(instance)
        # In whole seconds, by the renderer
        found["created_at"] = instance.created_at
        return found | {name: found[name] or None for name in ("content_type", "sha256")}
