"""Django REST framework, as its tutorial writes it."""

from django.urls import include, path
from rest_framework import serializers, viewsets
from rest_framework.routers import DefaultRouter

from tests.benchmarks.peers.models import Incident


class IncidentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Incident
        fields = ["id", "description", "status", "source", "created_at", "updated_at"]
        read_only_fields = ["id", "created_at", "updated_at"]


class IncidentViewSet(viewsets.ModelViewSet):
    queryset = Incident.objects.order_by("-created_at", "-id")
    serializer_class = IncidentSerializer

    def get_queryset(self):
        status = self.request.query_params.get("status")
        return super().get_queryset().filter(status=status) if status else super().get_queryset()


router = DefaultRouter()
router.register("incidents", IncidentViewSet)
urlpatterns = [path("api/v1/", include(router.urls))]
